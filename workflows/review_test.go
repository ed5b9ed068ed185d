package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"touchstone/activities"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

const (
	firstCopy  = "aaaaaaaaaaaaaaaaaaaa"
	editedCopy = "bbbbbbbbbbbbbbbbbbbb"
)

var reviewInput = workflows.ReviewInput{ReviewID: "r-1", Remind: 5 * time.Minute, Escalate: 30 * time.Minute, Expire: day}

// desk is one review as the store keeps it, with the store's own rules.
type desk struct {
	*fakes
	content, author string
	person          bool
	status          lifecycle.ReviewStatus
	by, note        string
	waiters         int
	escalated       bool
}

func newDesk() *desk {
	d := &desk{fakes: &fakes{}, content: firstCopy, author: "gpt", status: lifecycle.ReviewAwaiting, waiters: 3}
	d.Brief = func(activities.ReviewID) (activities.Brief, error) {
		return activities.Brief{
			Title: "Review email copy", Markdown: "## The copy " + d.content[:4], Content: d.content, Author: d.author, Person: d.person,
			Status: d.status, DecidedBy: d.by,
		}, nil
	}
	d.Decide = func(in activities.DecideInput) (activities.Decided, error) {
		switch {
		case d.status != lifecycle.ReviewAwaiting:
			return activities.Decided{Done: true, Refused: "review r-1 was " + string(d.status) + " already"}, nil
		case in.Content != d.content:
			return activities.Decided{Refused: "the copy has changed since you saw it"}, nil
		case in.By == d.author:
			return activities.Decided{Refused: in.By + " wrote this copy and cannot approve it"}, nil
		}
		d.status, d.by, d.note = in.Status, in.By, in.Note
		return activities.Decided{Done: true}, nil
	}
	d.Edit = func(in activities.EditInput) (activities.Decided, error) {
		if in.By == "" {
			return activities.Decided{Refused: "an edit needs your name"}, nil
		}
		d.content, d.author, d.person = editedCopy, in.By, true
		return activities.Decided{Done: true}, nil
	}
	d.Escalate = func(activities.ReviewID) error {
		d.escalated = true
		return nil
	}
	d.Release = func(in activities.ReleaseInput) (activities.Released, error) {
		if d.waiters > 2 && in.After == "" {
			return activities.Released{Count: 2, After: "run-2"}, nil
		}
		return activities.Released{Count: d.waiters - 2}, nil
	}
	return d
}

func (d *desk) run(t *testing.T, prepare func(*fixture)) *fixture {
	t.Helper()
	x := newFixture(t, d.fakes)
	x.OnUpsertTypedSearchAttributes(temporal.NewSearchAttributes(workflows.AttributeReview.ValueSet("escalated"))).Return(nil).Maybe()
	for _, s := range []lifecycle.ReviewStatus{lifecycle.ReviewApproved, lifecycle.ReviewRejected, lifecycle.ReviewExpired} {
		x.OnUpsertTypedSearchAttributes(temporal.NewSearchAttributes(workflows.AttributeReview.ValueSet(string(s)))).Return(nil).Maybe()
	}
	if prepare != nil {
		prepare(x)
	}
	x.ExecuteWorkflow(workflows.ReviewName, reviewInput)
	return x
}

func TestReviewIsDecidedByASignal(t *testing.T) {
	t.Parallel()
	unnamed := "unnamed reviewer (Temporal UI)"
	cases := []struct {
		name, signal string
		data         any
		want         lifecycle.ReviewStatus
		by, note     string
	}{
		{"approve without data", workflows.SignalApprove, nil, lifecycle.ReviewApproved, unnamed, ""},
		{"approve with a name", workflows.SignalApprove, map[string]any{"by": "jane"}, lifecycle.ReviewApproved, "jane", ""},
		{"approve with a bare name", workflows.SignalApprove, "jane", lifecycle.ReviewApproved, "jane", ""},
		{"approve with an empty object", workflows.SignalApprove, map[string]any{}, lifecycle.ReviewApproved, unnamed, ""},
		{"approve with a hash", workflows.SignalApprove, map[string]any{"by": "jane", "hash": firstCopy[:12]}, lifecycle.ReviewApproved, "jane", ""},
		{"reject without data", workflows.SignalReject, nil, lifecycle.ReviewRejected, unnamed, ""},
		{"reject with a note", workflows.SignalReject, map[string]any{"by": "jane", "note": "off tone"}, lifecycle.ReviewRejected, "jane", "off tone"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk()
			x := d.run(t, func(x *fixture) {
				x.at(30*time.Second, func() { x.wantDetails("## The copy aaaa") })
				x.signalAt(time.Minute, c.signal, c.data)
			})
			result := end[workflows.ReviewResult](x)
			equal(t, "status", result.Status, c.want)
			equal(t, "by", result.By, c.by)
			equal(t, "note", d.note, c.note)
			equal(t, "released", result.Released, 3)
			equalNames(t, "activities", d.names(), "Brief", "Decide", "Brief", "Release", "Release")
			equal(t, "bound to content", inputs[activities.DecideInput](d.fakes, "Decide")[0].Content, firstCopy)
		})
	}
}

func TestReviewAnswersWhatItDidNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, data := range []any{42, []string{"approve"}, map[string]any{"by": 7}, true, strings.Repeat("[", 3), map[string]any{"by": []int{1}}} {
		d := newDesk()
		understood := false
		if _, isName := data.(string); isName {
			understood = true // any JSON string is a name
		}
		x := d.run(t, func(x *fixture) {
			x.signalAt(time.Minute, workflows.SignalApprove, data)
			x.at(2*time.Minute, func() {
				x.wantDetails("approve_copy was not carried out", "was not understood", `{"by":"your name"}`, "## The copy")
			})
			x.signalAt(3*time.Minute, workflows.SignalApprove, "jane")
		})
		if understood {
			continue
		}
		equal(t, fmt.Sprintf("by, after %v", data), end[workflows.ReviewResult](x).By, "jane")
	}
}

func TestReviewEditNeedsSomebodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk()
	x := d.run(t, func(x *fixture) {
		x.signalAt(time.Minute, workflows.SignalEdit, map[string]any{"subject": "No name"})
		x.at(90*time.Second, func() { x.wantDetails("edit_copy was not carried out", "needs your name") })
		x.signalAt(2*time.Minute, workflows.SignalEdit, map[string]any{"by": "jane", "subject": "Better", "text": "Hello"})
		x.at(150*time.Second, func() { x.wantDetails("Edited by jane", "## The copy bbbb") })
		x.signalAt(3*time.Minute, workflows.SignalApprove, map[string]any{"by": "jane"})
		x.at(200*time.Second, func() { x.wantDetails("jane wrote this copy") })
		x.signalAt(4*time.Minute, workflows.SignalApprove, nil)
		x.at(250*time.Second, func() { x.wantDetails("a person (jane) wrote this copy", "your name") })
		x.signalAt(270*time.Second, workflows.SignalApprove, map[string]any{"by": "tom", "hash": firstCopy[:12]})
		x.at(280*time.Second, func() { x.wantDetails("it was meant for copy aaaa", "read it again") })
		x.signalAt(5*time.Minute-time.Second, workflows.SignalApprove, map[string]any{"by": "tom", "hash": editedCopy[:12]})
	})
	result := end[workflows.ReviewResult](x)
	equal(t, "status", result.Status, lifecycle.ReviewApproved)
	equal(t, "by", result.By, "tom")
	edits := inputs[activities.EditInput](d.fakes, "Edit")
	equal(t, "subject", edits[1].Parts.Subject, "Better")
	equal(t, "text", edits[1].Parts.Text, "Hello")
	equal(t, "decisions that reached the store", len(inputs[activities.DecideInput](d.fakes, "Decide")), 2)
}

func TestReviewRemindsEscalatesAndExpires(t *testing.T) {
	t.Parallel()
	d := newDesk()
	x := d.run(t, func(x *fixture) {
		x.at(6*time.Minute, func() {
			x.wantDetails("Overdue", "5m0s", "## The copy")
			equal(t, "escalated", d.escalated, false)
		})
		x.at(31*time.Minute, func() {
			x.wantDetails("Escalated")
			equal(t, "escalated", d.escalated, true)
		})
	})
	result := end[workflows.ReviewResult](x)
	equal(t, "status", result.Status, lifecycle.ReviewExpired)
	equal(t, "released", result.Released, 3)
	decided := inputs[activities.DecideInput](d.fakes, "Decide")
	equal(t, "decisions", len(decided), 1)
	equal(t, "instant", decided[0].At, start.Add(day))
	equal(t, "by", decided[0].By, "expiry")
}

// Expiry can meet copy that has just been changed from outside.
func TestReviewExpiryIsTriedAgainWhenItWasRefused(t *testing.T) {
	t.Parallel()
	d := newDesk()
	decide, refusals := d.Decide, 0
	d.Decide = func(in activities.DecideInput) (activities.Decided, error) {
		if refusals++; refusals <= 2 {
			return activities.Decided{Refused: "the copy has changed since you saw it"}, nil
		}
		return decide(in)
	}
	x := d.run(t, nil)
	equal(t, "status", end[workflows.ReviewResult](x).Status, lifecycle.ReviewExpired)
	for i, decided := range inputs[activities.DecideInput](d.fakes, "Decide") {
		equal(t, fmt.Sprintf("instant of attempt %d", i+1), decided.At, start.Add(day+time.Duration(i)*time.Minute))
	}
	equal(t, "attempts", refusals, 3)
}

func TestReviewIsDecidedByAnUpdate(t *testing.T) {
	t.Parallel()
	d := newDesk()
	x := newFixture(t, d.fakes)
	noName := updateAt[activities.Decided](x, time.Minute, workflows.UpdateDecide, workflows.Decision{Verdict: "approve"})
	noVerdict := updateAt[activities.Decided](x, time.Minute, workflows.UpdateDecide, workflows.Decision{By: "jane", Verdict: "perhaps"})
	byAuthor := updateAt[activities.Decided](x, 2*time.Minute, workflows.UpdateDecide, workflows.Decision{By: "gpt", Verdict: "approve"})
	good := updateAt[activities.Decided](x, 3*time.Minute, workflows.UpdateDecide, workflows.Decision{By: "jane", Verdict: "reject", Note: "off tone"})
	x.OnUpsertTypedSearchAttributes(temporal.NewSearchAttributes(workflows.AttributeReview.ValueSet("rejected"))).Return(nil)
	x.ExecuteWorkflow(workflows.ReviewName, reviewInput)
	result := end[workflows.ReviewResult](x)
	equal(t, "status", result.Status, lifecycle.ReviewRejected)
	for why, a := range map[string]*answer[activities.Decided]{"by is required": noName, `"perhaps"`: noVerdict} {
		if a.accepted || a.rejected == nil || !strings.Contains(a.rejected.Error(), why) {
			t.Errorf("want a refusal with %q, got %+v", why, a)
		}
	}
	if !byAuthor.done || byAuthor.err == nil || !strings.Contains(byAuthor.err.Error(), "cannot approve") {
		t.Errorf("the author's update: got %+v", byAuthor)
	}
	equal(t, "accepted, without an error", good.accepted && good.done && good.err == nil, true)
	equal(t, "note", d.note, "off tone")
}

// Whoever asks while the review is being wound up gets an answer, and the
// workflow ends.
func TestReviewAnswersUpdatesThatComeTooLate(t *testing.T) {
	t.Parallel()
	for _, during := range []string{"Decide", "Brief", "Release"} {
		t.Run(during, func(t *testing.T) {
			t.Parallel()
			d := newDesk()
			x := newFixture(t, d.fakes)
			late := &answer[activities.Decided]{}
			send := func(name string) {
				if name == during && d.status != lifecycle.ReviewAwaiting && !late.accepted {
					x.SignalWorkflow(workflows.SignalReject, "tom")
					x.UpdateWorkflow(workflows.UpdateDecide, "", late, workflows.Decision{By: "tom", Verdict: "reject"})
				}
			}
			decide, brief, release := d.Decide, d.Brief, d.Release
			d.Decide = func(in activities.DecideInput) (activities.Decided, error) {
				decided, err := decide(in)
				send("Decide")
				return decided, err
			}
			d.Brief = func(in activities.ReviewID) (activities.Brief, error) {
				send("Brief")
				return brief(in)
			}
			d.Release = func(in activities.ReleaseInput) (activities.Released, error) {
				send("Release")
				return release(in)
			}
			x.OnUpsertTypedSearchAttributes(temporal.NewSearchAttributes(workflows.AttributeReview.ValueSet("approved"))).Return(nil)
			x.signalAt(time.Minute, workflows.SignalApprove, "jane")
			x.ExecuteWorkflow(workflows.ReviewName, reviewInput)
			equal(t, "by", end[workflows.ReviewResult](x).By, "jane")
			if !late.done || late.err == nil || !strings.Contains(late.err.Error(), "already approved") {
				t.Errorf("the late update: got %+v", late)
			}
		})
	}
}

func TestReviewSaysWhenItIsStuck(t *testing.T) {
	t.Parallel()
	broken := finalError(lifecycle.NotFound, "there is no review r-1")
	for _, failing := range []string{"Brief", "Release", "Escalate"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			d := newDesk()
			mended := false
			d.Brief = failUntil(&mended, failing == "Brief", broken, d.Brief)
			d.Release = failUntil(&mended, failing == "Release", broken, d.Release)
			if failing == "Escalate" {
				d.Escalate = func(activities.ReviewID) error {
					if mended {
						return nil
					}
					return broken
				}
			}
			x := d.run(t, func(x *fixture) {
				if failing == "Release" {
					x.signalAt(time.Minute, workflows.SignalApprove, nil)
				}
				x.at(40*time.Minute, func() {
					x.wantDetails("This review is stuck", "there is no review", "resume")
					mended = true
					x.SignalWorkflow(activities.SignalResume, nil)
				})
				x.signalAt(50*time.Minute, workflows.SignalApprove, nil)
			})
			equal(t, "status", end[workflows.ReviewResult](x).Status, lifecycle.ReviewApproved)
		})
	}
	t.Run("a decision", func(t *testing.T) {
		t.Parallel()
		d := newDesk()
		mended := false
		d.Decide = failUntil(&mended, true, broken, d.Decide)
		x := d.run(t, func(x *fixture) {
			x.signalAt(time.Minute, workflows.SignalApprove, nil)
			x.at(2*time.Minute, func() {
				x.wantDetails("approve_copy was not carried out", "there is no review")
				mended = true
			})
			x.signalAt(3*time.Minute, workflows.SignalApprove, nil)
		})
		end[workflows.ReviewResult](x)
	})
}

func TestReviewOffersItsSignalsWithDescriptions(t *testing.T) {
	t.Parallel()
	d := newDesk()
	x := d.run(t, func(x *fixture) {
		x.at(time.Minute, func() {
			definition := query[*metadata](x, "__temporal_workflow_metadata").GetDefinition()
			var offered []string
			for _, s := range definition.GetSignalDefinitions() {
				offered = append(offered, s.GetName())
				if s.GetDescription() == "" {
					t.Errorf("signal %s has no description", s.GetName())
				}
			}
			for _, name := range []string{workflows.SignalApprove, workflows.SignalReject, workflows.SignalEdit} {
				if !slices.Contains(offered, name) {
					t.Errorf("the UI does not offer %s: %v", name, offered)
				}
			}
			equal(t, "updates", len(definition.GetUpdateDefinitions()), 1)
		})
		x.signalAt(2*time.Minute, workflows.SignalApprove, nil)
	})
	end[workflows.ReviewResult](x)
}
