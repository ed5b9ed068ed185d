package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
)

// Review signals, update and query, as reviewers meet them in the Temporal UI.
const (
	SignalApprove = "approve_copy"
	SignalReject  = "reject_copy"
	SignalEdit    = "edit_copy"
	UpdateDecide  = "decide"
	QueryReview   = "review"
)

// Review search attribute values.
const (
	reviewAwaiting  = "awaiting"
	reviewEscalated = "escalated"
)

// ReviewInput starts a review. Durations are wall-clock: people are not scaled.
type ReviewInput struct {
	ReviewID lifecycle.ReviewID `json:"review"`
	Remind   time.Duration      `json:"remind"`   // after this the review is overdue
	Escalate time.Duration      `json:"escalate"` // after this it is escalated
	Expire   time.Duration      `json:"expire"`   // after this the journey's fallback applies
}

// ReviewResult says how a review ended.
type ReviewResult struct {
	Status   lifecycle.ReviewStatus `json:"status"`
	By       string                 `json:"by,omitempty"`
	Released int                    `json:"released"`
}

// Decision is what a person sends. All fields may be missing in a signal; the
// update needs Verdict and By.
type Decision struct {
	Verdict string `json:"verdict,omitempty"` // "approve" or "reject", in the update
	By      string `json:"by,omitempty"`
	Note    string `json:"note,omitempty"`
	Hash    string `json:"hash,omitempty"` // of the copy that was read, or its first characters
	lifecycle.Parts
}

// Review waits for a person's decision on a creative or on touches, reminds,
// escalates, and lets the journey's fallback apply when nobody decides.
func Review(ctx workflow.Context, in ReviewInput) (ReviewResult, error) {
	r, err := newReview(ctx, in)
	if err != nil {
		return ReviewResult{}, err
	}
	return r.run(ctx)
}

type review struct {
	in      ReviewInput
	brief   activities.Brief
	opened  time.Time
	pending []request
	resumes wakes
	decided bool   // the review is over; what still arrives is too late
	notice  string // shown above the brief: reminders and what was not understood
	answers map[int]activities.Decided
	asked   int
}

// request is one thing a person asked for.
type request struct {
	id     int
	signal string // SignalApprove, SignalReject or SignalEdit
	Decision
	bad string // the payload was not understood
}

func newReview(ctx workflow.Context, in ReviewInput) (*review, error) {
	r := &review{in: in, opened: workflow.Now(ctx), answers: map[int]activities.Decided{}}
	r.pump(ctx, SignalApprove, `Release this copy. Data may stay empty, or be {"by":"your name"}.`)
	r.pump(ctx, SignalReject, `Do not send this copy. Data may be {"by":"your name","note":"why"}.`)
	r.pump(ctx, SignalEdit, `Replace parts of the copy: {"by":"your name","subject":"...","text":"...","html":"..."}. Somebody else then approves.`)
	r.resumes.listen(ctx, map[string]string{activities.SignalResume: "A problem that the details show has been mended; try again."})
	if err := workflow.SetQueryHandlerWithOptions(ctx, QueryReview, func() (activities.Brief, error) { return r.brief, nil },
		workflow.QueryHandlerOptions{Description: "What is to be reviewed."}); err != nil {
		return nil, err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateDecide, r.decideByUpdate, workflow.UpdateHandlerOptions{
		Description: `Decide and see the answer at once: {"verdict":"approve","by":"your name"} or {"verdict":"reject","by":"your name","note":"why"}.`,
		Validator: func(ctx workflow.Context, d Decision) error {
			switch {
			case d.By == "":
				return fmt.Errorf("by is required: add your name, for example {\"verdict\":\"approve\",\"by\":\"jane\"}")
			case d.Verdict != "approve" && d.Verdict != "reject":
				return fmt.Errorf("verdict %q: use approve or reject", d.Verdict)
			}
			return nil
		},
	})
	return r, err
}

// pump turns a signal into requests. Payloads are received raw: a typed receive
// would drop what a person mistyped without a word.
func (r *review) pump(ctx workflow.Context, signal, description string) {
	ch := workflow.GetSignalChannelWithOptions(ctx, signal, workflow.SignalChannelOptions{Description: description})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var raw converter.RawValue
			if !ch.Receive(ctx, &raw) {
				return
			}
			d, err := parseDecision(raw)
			r.ask(request{signal: signal, Decision: d, bad: errText(err)})
		}
	})
}

func (r *review) ask(q request) int {
	r.asked++
	q.id = r.asked
	r.pending = append(r.pending, q)
	return q.id
}

func (r *review) decideByUpdate(ctx workflow.Context, d Decision) (activities.Decided, error) {
	signal := SignalApprove
	if d.Verdict == "reject" {
		signal = SignalReject
	}
	if r.decided {
		return activities.Decided{}, temporal.NewApplicationError("already "+string(r.brief.Status), "refused")
	}
	id := r.ask(request{signal: signal, Decision: d})
	if err := workflow.Await(ctx, func() bool { _, done := r.answers[id]; return done }); err != nil {
		return activities.Decided{}, err
	}
	answer := r.answers[id]
	if answer.Refused != "" {
		return answer, temporal.NewApplicationError(answer.Refused, "refused")
	}
	return answer, nil
}

// deadline is what happens when nobody decides.
type deadline struct {
	after time.Duration // since the review was opened
	meet  func(workflow.Context) (done bool, err error)
}

func (r *review) run(ctx workflow.Context) (ReviewResult, error) {
	if err := r.describe(ctx); err != nil {
		return ReviewResult{}, err
	}
	deadlines := []deadline{{r.in.Remind, r.remind}, {r.in.Escalate, r.escalate}, {r.in.Expire, r.expire}}
	for {
		wait := deadlines[0].after - workflow.Now(ctx).Sub(r.opened)
		asked, err := waitFor(ctx, wait, "read the copy in the tab User Metadata, then More Actions > Send a Signal", func() bool { return len(r.pending) > 0 })
		if err != nil {
			return ReviewResult{}, err
		}
		var done bool
		switch {
		case asked:
			done, err = r.answer(ctx)
		case len(deadlines) > 1:
			done, err = deadlines[0].meet(ctx)
			deadlines = deadlines[1:]
		default:
			// An expiry that was refused (the copy had just changed) comes again.
			done, err = deadlines[0].meet(ctx)
			deadlines[0].after = workflow.Now(ctx).Sub(r.opened) + expireAgain
		}
		if err != nil {
			return ReviewResult{}, err
		}
		if done {
			return r.finish(ctx)
		}
	}
}

// expireAgain is the pause before an expiry that was refused is tried again.
const expireAgain = time.Minute

// persist works until it succeeds. A problem that another attempt cannot mend
// is shown, and the work waits for the signal "resume", or an hour.
func (r *review) persist(ctx workflow.Context, work func() error) error {
	for {
		err := work()
		if !broken(err) {
			return err
		}
		r.notice = fmt.Sprintf("**This review is stuck:** %s. Mend it, then send the signal `resume`.", problem(ctx, err))
		r.show(ctx)
		if _, err := waitFor(ctx, time.Hour, "wait for somebody to mend a problem", r.resumes.any); err != nil {
			return err
		}
		r.resumes.drain()
		r.notice = ""
	}
}

// answer handles the oldest request; done reports that the review is decided.
func (r *review) answer(ctx workflow.Context) (done bool, err error) {
	q := r.pending[0]
	r.pending = r.pending[1:]
	decided := activities.Decided{Refused: q.bad}
	if q.bad == "" {
		decided, err = r.carryOut(ctx, q)
		if broken(err) {
			decided, err = activities.Decided{Refused: problem(ctx, err)}, nil
		}
		if err != nil {
			return false, err
		}
	}
	if decided.Refused != "" {
		r.notice = fmt.Sprintf("**%s was not carried out:** %s", q.signal, decided.Refused)
	} else if q.signal == SignalEdit {
		r.notice = fmt.Sprintf("Edited by %s: somebody else has to approve it.", q.By)
		if err := r.describe(ctx); err != nil {
			return false, err
		}
	}
	r.answers[q.id] = decided
	r.show(ctx)
	return decided.Done && q.signal != SignalEdit, nil
}

func (r *review) carryOut(ctx workflow.Context, q request) (activities.Decided, error) {
	if q.Hash != "" && !strings.HasPrefix(r.brief.Content, q.Hash) {
		return activities.Decided{Refused: fmt.Sprintf("it was meant for copy %s, but the copy is now %s: read it again", q.Hash, short(r.brief.Content))}, nil
	}
	if q.signal == SignalEdit {
		return edit(ctx, activities.EditInput{ID: r.in.ReviewID, By: q.By, Parts: q.Parts})
	}
	if q.By == "" && r.brief.Person {
		return activities.Decided{Refused: fmt.Sprintf("a person (%s) wrote this copy, so the decision needs a name: send {\"by\":\"your name\"}", r.brief.Author)}, nil
	}
	status := lifecycle.ReviewApproved
	if q.signal == SignalReject {
		status = lifecycle.ReviewRejected
	}
	by := q.By
	if by == "" {
		by = "unnamed reviewer (Temporal UI)"
	}
	return decide(ctx, activities.DecideInput{
		ID: r.in.ReviewID, Status: status, By: by, Note: q.Note, Content: r.brief.Content, At: workflow.Now(ctx).UTC(),
	})
}

// remind says in the details that the review is overdue.
func (r *review) remind(ctx workflow.Context) (bool, error) {
	r.notice = fmt.Sprintf("**Overdue:** waiting for more than %s.", r.in.Remind)
	r.show(ctx)
	return false, nil
}

// escalate marks the review so that escalation lists and alerts find it.
func (r *review) escalate(ctx workflow.Context) (bool, error) {
	r.notice = fmt.Sprintf("**Escalated:** nobody decided within %s.", r.in.Escalate)
	r.show(ctx)
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeReview.ValueSet(reviewEscalated)); err != nil {
		return false, err
	}
	return false, r.persist(ctx, func() error { return escalate(ctx, r.in.ReviewID) })
}

// expire lets the journey's fallback apply.
func (r *review) expire(ctx workflow.Context) (done bool, err error) {
	if err := r.describe(ctx); err != nil {
		return false, err
	}
	err = r.persist(ctx, func() error {
		decided, err := decide(ctx, activities.DecideInput{
			ID: r.in.ReviewID, Status: lifecycle.ReviewExpired, By: "expiry",
			Note: fmt.Sprintf("nobody decided within %s", r.in.Expire), Content: r.brief.Content, At: workflow.Now(ctx).UTC(),
		})
		done = decided.Done
		return err
	})
	return done, err
}

// finish releases what waited and answers requests that came too late.
func (r *review) finish(ctx workflow.Context) (ReviewResult, error) {
	r.notice = ""
	if err := r.describe(ctx); err != nil {
		return ReviewResult{}, err
	}
	r.notice = fmt.Sprintf("**Decided: %s** by %s. There is nothing left to do here.", r.brief.Status, r.brief.DecidedBy)
	r.show(ctx)
	r.decided = true
	for _, q := range r.pending {
		r.answers[q.id] = activities.Decided{Refused: "already " + string(r.brief.Status)}
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeReview.ValueSet(string(r.brief.Status))); err != nil {
		return ReviewResult{}, err
	}
	result := ReviewResult{Status: r.brief.Status, By: r.brief.DecidedBy}
	page := activities.ReleaseInput{ID: r.in.ReviewID}
	for {
		var released activities.Released
		err := r.persist(ctx, func() (err error) {
			released, err = release(ctx, page)
			return err
		})
		if err != nil {
			return result, err
		}
		result.Released += released.Count
		if page.After = released.After; page.After == "" {
			break
		}
	}
	return result, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// describe reads the review again.
func (r *review) describe(ctx workflow.Context) error {
	err := r.persist(ctx, func() error {
		described, err := brief(ctx, r.in.ReviewID)
		if err == nil {
			r.brief = described
		}
		return err
	})
	r.show(ctx)
	return err
}

func (r *review) show(ctx workflow.Context) {
	text := r.brief.Markdown
	if r.notice != "" {
		text = "> " + r.notice + "\n\n" + text
	}
	workflow.SetCurrentDetails(ctx, text)
}

// short is the part of a content hash that people compare.
func short(hash string) string { return hash[:min(12, len(hash))] }
