package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/internal/access"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

func (h *house) hashOf(item lifecycle.ReviewItem) url.Values {
	return url.Values{"hash": {item.Content}}
}

// TestReview: a reviewer reads the copy beside what was approved before, and
// approves what was shown, once.
func TestReview(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Reviewer)
	second := h.inReview("winback/last", "Last call", "This is the last call.", "gpt-4o-mini")
	at := "/reviews/" + string(h.review.ID)
	b.get("/reviews").is(http.StatusOK).says("winback/nudge", "winback/last", "gpt-4o-mini", h.review.Content[:12])
	page := b.get(at).is(http.StatusOK).says("Subject", "We miss you, ", "Against the copy approved before", "approve", "in 59 min")
	for _, want := range []string{"<del>missed ", "<ins>miss ", `sandbox title=`, `name="hash" value="` + h.review.Content + `"`, "127.0.0.1:8233/namespaces/default/workflows/review%2Fcreative%2Fwinback%2Fnudge"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the review lacks %q", want)
		}
	}
	b.get(at+"/sample").is(http.StatusOK).says("Come back soon.", "Unsubscribe")
	b.get(at + "/sample?before").is(http.StatusOK).says("Come back.").lacks("Unsubscribe")

	b.post(at+"/approve", nil).is(http.StatusBadRequest).says("read the review again")
	b.post(at+"/approve", url.Values{"hash": {strings.Repeat("0", 64)}}).is(http.StatusConflict).says("has changed since")
	form := h.hashOf(h.review)
	form.Set("next", string(second.ID))
	form.Set("note", "well said")
	b.post(at+"/approve", form).leads("/reviews/" + string(second.ID) + "?done=approved")
	item, err := h.store.Review(t.Context(), h.review.ID)
	if h.must(err); item.Status != lifecycle.ReviewApproved || item.DecidedBy != b.name || item.Note != "well said" {
		t.Errorf("decided: %+v", item)
	}
	b.post(at+"/approve", form).is(http.StatusConflict).says("was approved already, by " + b.name)
	b.get(at).is(http.StatusOK).says("approved", "by "+b.name+": well said").lacks(`action="` + at + `/approve"`)

	b.post("/reviews/"+string(second.ID)+"/reject", url.Values{"hash": {second.Content}, "note": {"too loud"}, "next": {"https://evil.example"}}).leads("/reviews?done=rejected")
	b.get("/reviews?done=rejected").says("Rejected.", "Nothing waits for a person.")
	b.get("/reviews/decided").says("winback/last", "rejected", "too loud", b.name)
}

// TestNobodyApprovesTheirOwn: an edit makes its author, who then cannot approve;
// somebody else can.
func TestNobodyApprovesTheirOwn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	author, other := h.as(access.Admin), h.as(access.Reviewer)
	at := "/reviews/" + string(h.review.ID)
	author.get(at+"/edit").is(http.StatusOK).says("Edit winback/nudge", "{{ unsubscribe_url }}", "Come back soon.")
	creative, err := h.store.Creative(t.Context(), h.review.CreativeID)
	h.must(err)
	form := url.Values{"hash": {h.review.Content}, "subject": {creative.Parts.Subject}, "text": {strings.ReplaceAll(creative.Parts.Text, "\n", "\r\n")}, "html": {creative.Parts.HTML}}
	author.post(at+"/edit", form).is(http.StatusBadRequest).says("Nothing was changed.")
	form.Set("subject", "")
	author.post(at+"/edit", form).is(http.StatusBadRequest).says("The subject cannot be emptied")
	form.Set("subject", "A quieter week")
	author.post(at+"/edit", form).leads(at + "?done=edited")
	author.get(at).is(http.StatusOK).says("A quieter week", "You wrote this copy").lacks(`action="` + at + `/approve"`)
	edited, err := h.store.Review(t.Context(), h.review.ID)
	if h.must(err); edited.Content == h.review.Content || edited.Author != author.name {
		t.Fatalf("edited: %+v", edited)
	}
	author.post(at+"/approve", h.hashOf(edited)).is(http.StatusForbidden).says("cannot approve it")
	other.post(at+"/approve", h.hashOf(h.review)).is(http.StatusConflict) // what was read before the edit
	other.post(at+"/approve", h.hashOf(edited)).leads("/reviews?done=approved")
	author.get(at + "/edit").is(http.StatusConflict).says("approved already")
}

// TestCopyThatDoesNotRender is shown with the reason, and not as a failure.
func TestCopyThatDoesNotRender(t *testing.T) {
	t.Parallel()
	h := setup(t)
	broken := h.inReview("winback/broken", "Hi {{ nobody_knows_this }}", "Text.", "gpt-4o-mini")
	h.as(access.Reviewer).get("/reviews/"+string(broken.ID)).is(http.StatusOK).says("does not render", "nobody_knows_this", "The copy as it is stored")
}

// TestTouchReview cannot be edited.
func TestTouchReview(t *testing.T) {
	t.Parallel()
	h := setup(t)
	item, _, err := h.store.OpenReview(t.Context(), lifecycle.ReviewItem{Kind: lifecycle.ReviewTouch, CreativeID: h.review.CreativeID, Content: h.review.Content, Journey: "winback",
		OpenedAt: noon, DueAt: noon, Reasons: []lifecycle.Finding{{Rule: "large-offer", Outcome: lifecycle.Review, Reason: "more than usual", Value: "30%", Limit: "20%"}}}, "review/touch/x", []ledger.Waiter{})
	h.must(err)
	b := h.as(access.Reviewer)
	at := "/reviews/" + string(item.ID)
	b.get(at).is(http.StatusOK).says("overdue", "large-offer says review: more than usual (saw 30%, limit 20%)").lacks(at + "/edit")
	b.get(at + "/edit").is(http.StatusBadRequest).says("cannot be edited")
	for _, bad := range []string{"/reviews/00000000-0000-0000-0000-000000000000", "/reviews/x", "/reviews/x/sample", "/reviews/x/edit"} {
		b.get(bad).is(http.StatusNotFound).says("there is no review")
	}
}

// TestDiffAddsUp: without what was removed a difference is the text after, and
// without what was added the text before.
func TestDiffAddsUp(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]string{"a", "b", "c ", " ", "\n\n", "ä", "word "})
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Join(rapid.SliceOfN(word, 0, 30).Draw(t, "before"), "")
		after := strings.Join(rapid.SliceOfN(word, 0, 30).Draw(t, "after"), "")
		var was, is string
		same := true
		for _, c := range diff(before, after) {
			if c.Kind != "added" {
				was += c.Text
			}
			if c.Kind != "removed" {
				is += c.Text
			}
			same = same && c.Kind == "same"
		}
		if was != before || is != after {
			t.Fatalf("%q to %q became %q to %q", before, after, was, is)
		}
		if same != (before == after) {
			t.Fatalf("%q and %q: same %v", before, after, same)
		}
	})
	long := strings.Repeat("word ", diffWords+1)
	if got := diff(long, "x"); len(got) != 2 {
		t.Errorf("a long text became %d changes", len(got))
	}
}
