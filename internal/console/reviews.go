package console

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// queueShown is how many reviews the queue shows: the most urgent ones.
const queueShown = 100

// reviewLine is a review in a list.
type reviewLine struct {
	lifecycle.ReviewItem
	Creative lifecycle.Creative
}

// Overdue reports whether the review has waited longer than people have.
func (l reviewLine) Overdue() bool {
	return l.Status == lifecycle.ReviewAwaiting && time.Now().After(l.DueAt)
}

// reviewView is one review in full.
type reviewView struct {
	reviewLine
	Copy       lifecycle.Parts // rendered for a made-up customer
	Problem    string          // why it does not render; Copy is then as it is stored
	Objections []lifecycle.Finding
	Temporal   string
	Own        bool   // the person wrote the copy and cannot approve it
	Next       string // the review below it in the queue
	Before     *beforeView
}

// beforeView is the copy that was approved last for the same place.
type beforeView struct {
	lifecycle.Creative
	At                       time.Time
	Copy                     lifecycle.Parts
	Subject, Preheader, Text []change
	Same                     bool
}

type reviewsView struct {
	Lines    []reviewLine
	Selected *reviewView
	Named    bool // the review stands in the address, and was not only the first
}

// reviewsPage shows the queue and one review: the one in the address, or the
// most urgent.
func (s *Server) reviewsPage(c *call) error {
	items, err := s.Store.Reviews(c.ctx(), lifecycle.ReviewAwaiting, queueShown)
	if err != nil {
		return err
	}
	var v reviewsView
	if v.Lines, err = s.lines(c, items); err != nil {
		return err
	}
	item, named, err := s.reviewAsked(c)
	if err != nil {
		return err
	}
	v.Named = named
	if !named && len(items) > 0 {
		item = items[0]
	}
	if item.ID != "" {
		if v.Selected, err = s.review(c, item); err != nil {
			return err
		}
		for i, one := range items {
			if one.ID == item.ID && i+1 < len(items) {
				v.Selected.Next = string(items[i+1].ID)
			}
		}
	}
	return s.show(c, http.StatusOK, "reviews", page{Title: "Reviews", Section: "reviews", Data: v})
}

// reviewAsked reads the review in the address, if there is one.
func (s *Server) reviewAsked(c *call) (item lifecycle.ReviewItem, named bool, err error) {
	id := c.r.PathValue("id")
	if id == "" {
		return item, false, nil
	}
	if _, malformed := uuid.Parse(id); malformed == nil {
		item, err = s.Store.Review(c.ctx(), lifecycle.ReviewID(strings.ToLower(id)))
	}
	if item.ID == "" && (err == nil || lifecycle.CodeOf(err) == lifecycle.NotFound) {
		return item, true, lifecycle.Errorf(lifecycle.NotFound, "there is no review %s", shorten(40, id))
	}
	return item, true, err
}

// lines adds the copy to reviews.
func (s *Server) lines(c *call, items []lifecycle.ReviewItem) ([]reviewLine, error) {
	ids := make([]lifecycle.CreativeID, len(items))
	for i, item := range items {
		ids[i] = item.CreativeID
	}
	creatives, err := s.Store.CreativesOf(c.ctx(), ids)
	lines := make([]reviewLine, len(items))
	for i, item := range items {
		lines[i] = reviewLine{item, creatives[item.CreativeID]}
	}
	return lines, err
}

// review reads one review in full.
func (s *Server) review(c *call, item lifecycle.ReviewItem) (*reviewView, error) {
	creative, err := s.Store.Creative(c.ctx(), item.CreativeID)
	if err != nil {
		return nil, err
	}
	v := &reviewView{reviewLine: reviewLine{item, creative}, Temporal: s.temporal(item.WorkflowID), Own: c.user.Name == item.Author || c.user.Name == creative.Author}
	shown, err := s.preview(creative)
	if err != nil { // it will not be sent either; the reviewer sees why
		v.Problem, v.Copy = err.Error(), creative.Parts
		v.Copy.HTML = ""
	} else {
		v.Copy, v.Objections = shown.Parts, shown.Objections
	}
	before, at, err := s.Store.ApprovedBefore(c.ctx(), creative)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	old, err := s.preview(before)
	if err != nil {
		return v, nil // copy of an older release that renders no more: nothing to compare
	}
	v.Before = &beforeView{Creative: before, At: at, Copy: old.Parts, Subject: diff(old.Parts.Subject, v.Copy.Subject),
		Preheader: diff(old.Parts.Preheader, v.Copy.Preheader), Text: diff(old.Parts.Text, v.Copy.Text), Same: old.Parts == v.Copy}
	return v, nil
}

func (s *Server) preview(creative lifecycle.Creative) (control.Preview, error) {
	return control.PreviewCopy(creative, s.Brand, s.Policy, control.PreviewLinks(s.Settings), s.Clock)
}

// reviewSample is the rendered HTML of copy under review, or with before of the
// copy that was approved last. It is shown in a frame that may do nothing.
func (s *Server) reviewSample(c *call) error {
	item, _, err := s.reviewAsked(c)
	if err != nil {
		return err
	}
	creative, err := s.Store.Creative(c.ctx(), item.CreativeID)
	if err == nil && c.r.URL.Query().Has("before") {
		creative, _, err = s.Store.ApprovedBefore(c.ctx(), creative)
	}
	if err != nil {
		return err
	}
	shown, err := s.preview(creative)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Security-Policy", samplePolicy)
	kind, content := "text/html", shown.Parts.HTML
	if content == "" {
		kind, content = "text/plain", shown.Parts.Text
	}
	c.w.Header().Set("Content-Type", kind+"; charset=utf-8")
	_, err = io.WriteString(c.w, content)
	return err
}

func (s *Server) approve(c *call) error { return s.decide(c, "approve", "approved") }

func (s *Server) reject(c *call) error { return s.decide(c, "reject", "rejected") }

// decide takes a decision on the copy with the hash that the person was shown.
func (s *Server) decide(c *call, verdict, said string) error {
	item, hash, err := s.awaiting(c)
	if err != nil {
		return err
	}
	if err := s.Acts.Decide(c.ctx(), item, workflows.Decision{Verdict: verdict, By: c.user.Name, Note: shorten(500, c.r.PostFormValue("note")), Hash: hash}); err != nil {
		return err
	}
	to := "/reviews"
	if next := c.r.PostFormValue("next"); uuid.Validate(next) == nil {
		to += "/" + next
	}
	return c.goTo(to + "?done=" + said)
}

// awaiting reads the review that a form is about and the hash of the copy it showed.
func (s *Server) awaiting(c *call) (item lifecycle.ReviewItem, hash string, err error) {
	if item, _, err = s.reviewAsked(c); err != nil {
		return item, "", err
	}
	if item.Status != lifecycle.ReviewAwaiting {
		return item, "", lifecycle.Errorf(lifecycle.Conflict, "this review was %s already, by %s", item.Status, item.DecidedBy)
	}
	hash = c.r.PostFormValue("hash")
	switch {
	case hash == "":
		return item, "", lifecycle.Errorf(lifecycle.Invalid, "the decision does not say which copy it is about: read the review again")
	case hash != item.Content:
		return item, "", lifecycle.Errorf(lifecycle.Conflict, "the copy has changed since you read it: read it again")
	}
	return item, hash, nil
}

type editView struct {
	Line    reviewLine
	Parts   lifecycle.Parts
	Problem string
}

func (s *Server) editPage(c *call) error {
	item, _, err := s.reviewAsked(c)
	if err != nil {
		return err
	}
	if item.Status != lifecycle.ReviewAwaiting {
		return lifecycle.Errorf(lifecycle.Conflict, "this review was %s already: its copy cannot be edited", item.Status)
	}
	if item.Kind != lifecycle.ReviewCreative {
		return lifecycle.Errorf(lifecycle.Invalid, "this review is of single touches, which cannot be edited: approve or reject it")
	}
	creative, err := s.Store.Creative(c.ctx(), item.CreativeID)
	if err != nil {
		return err
	}
	return s.showEdit(c, http.StatusOK, editView{Line: reviewLine{item, creative}, Parts: creative.Parts})
}

func (s *Server) showEdit(c *call, status int, v editView) error {
	return s.show(c, status, "edit", page{Title: "Edit copy", Section: "reviews", Data: v})
}

// edit replaces copy under review. What was refused comes back with the reason
// and with everything that was typed.
func (s *Server) edit(c *call) error {
	item, hash, err := s.awaiting(c)
	if err != nil {
		return err
	}
	creative, err := s.Store.Creative(c.ctx(), item.CreativeID)
	if err != nil {
		return err
	}
	typed := lifecycle.Parts{Subject: formText(c, "subject"), Preheader: formText(c, "preheader"), Text: formText(c, "text"), HTML: formText(c, "html")}
	v := editView{Line: reviewLine{item, creative}, Parts: typed}
	parts, problem := changedParts(creative.Parts, typed)
	if problem != "" {
		v.Problem = problem
		return s.showEdit(c, http.StatusBadRequest, v)
	}
	if err := s.Acts.Edit(c.ctx(), item, workflows.Decision{By: c.user.Name, Hash: hash, Parts: parts}); err != nil {
		return err
	}
	if _, err := s.Acts.AwaitEdit(c.ctx(), item); err != nil {
		v.Problem = err.Error()
		return s.showEdit(c, statusOf[lifecycle.CodeOf(err)], v)
	}
	return c.goTo("/reviews/" + string(item.ID) + "?done=edited")
}

// formText is a field without the white space around it and with the line ends
// that copy has; browsers send carriage returns.
func formText(c *call, name string) string {
	return strings.TrimSpace(strings.ReplaceAll(c.r.PostFormValue(name), "\r\n", "\n"))
}

// changedParts keeps the parts that were changed; the others stay as they are.
func changedParts(old, typed lifecycle.Parts) (changed lifecycle.Parts, problem string) {
	for _, part := range []struct {
		name       string
		old, typed string
		into       *string
	}{
		{"subject", old.Subject, typed.Subject, &changed.Subject}, {"preheader", old.Preheader, typed.Preheader, &changed.Preheader},
		{"text", old.Text, typed.Text, &changed.Text}, {"HTML", old.HTML, typed.HTML, &changed.HTML},
	} {
		switch {
		case strings.TrimSpace(part.old) == part.typed:
		case part.typed == "":
			return changed, "The " + part.name + " cannot be emptied: change it, or leave it as it was."
		default:
			*part.into = part.typed
		}
	}
	if changed == (lifecycle.Parts{}) {
		return changed, "Nothing was changed."
	}
	return changed, ""
}

// decidedShown is how many decided reviews a page shows.
const decidedShown = 50

type decidedView struct {
	Lines []reviewLine
	Older string // where the next page begins
}

func (s *Server) decidedPage(c *call) error {
	before, err := instantOf(c.r.URL.Query().Get("before"))
	if err != nil {
		return err
	}
	if before.IsZero() {
		before = time.Now().Add(time.Minute)
	}
	items, err := s.Store.ReviewsDecided(c.ctx(), before, decidedShown)
	if err != nil {
		return err
	}
	var v decidedView
	if v.Lines, err = s.lines(c, items); err != nil {
		return err
	}
	if len(items) == decidedShown {
		v.Older = items[len(items)-1].DecidedAt.Format(time.RFC3339Nano)
	}
	return s.show(c, http.StatusOK, "decided", page{Title: "Decided reviews", Section: "reviews", Data: v})
}
