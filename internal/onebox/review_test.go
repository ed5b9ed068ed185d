package onebox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// signal sends a signal as the Temporal UI does: without any payload when the
// field Data was left empty, else what was typed, as JSON.
func (h *house) signal(t *testing.T, workflow, name string, data []byte) {
	t.Helper()
	request := &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: h.Config.Temporal.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflow}, SignalName: name,
	}
	if data != nil {
		request.Input = &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: data}}}
	}
	_, err := h.Temporal.WorkflowService().SignalWorkflowExecution(t.Context(), request)
	must(t, err)
}

// details are the current details that the Temporal UI shows of a workflow.
func (h *house) details(t *testing.T, workflow string) string {
	t.Helper()
	value, err := h.Temporal.QueryWorkflow(t.Context(), workflow, "", "__temporal_workflow_metadata")
	if err != nil {
		return err.Error()
	}
	var metadata sdkpb.WorkflowMetadata
	must(t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

// shows waits until a workflow's details contain a text.
func (h *house) shows(t *testing.T, workflow, text string) {
	t.Helper()
	var details string
	eventually(t, 20*time.Second, func() string { return fmt.Sprintf("%q in the details of %s:\n%s", text, workflow, details) }, func() (bool, error) {
		details = h.details(t, workflow)
		return strings.Contains(details, text), nil
	})
}

// own is broadcast with copy of its own, and so a review of its own.
const own = `entry: {segment: attributes.cohort == "{name}", every: 1d}
reentry: never
steps:
  - id: note
    touch: {brief: Say what is new this week.}
`

// TestReviewInTheTemporalUI: a campaign waits for its copy; the page says what
// to do; a malformed signal is answered there; the empty signal approves.
func TestReviewInTheTemporalUI(t *testing.T) {
	h := open(t)
	t.Parallel()
	name := unique("review")
	h.customers(t, name, "ada", 5)
	h.store(t, name, own)
	h.campaign(t, control.Campaign{Name: name, Journey: name})
	items := h.awaiting(t, name)
	if len(items) != 1 || items[0].Kind != lifecycle.ReviewCreative || items[0].Campaign != name {
		t.Fatalf("in review: %+v", items)
	}
	id := items[0].WorkflowID
	h.shows(t, id, "approve_copy")
	h.shows(t, id, items[0].Content[:12])
	h.signal(t, id, workflows.SignalApprove, []byte(`{"by": rosa`))
	h.shows(t, id, "was not understood")
	h.signal(t, id, workflows.SignalApprove, []byte(`{"by":"rosa","hash":"000000000000"}`))
	h.shows(t, id, "it was meant for copy 000000000000")
	if len(h.touches(t, name)) != 0 {
		t.Error("something went out before the copy was approved")
	}
	h.signal(t, id, workflows.SignalApprove, nil)
	h.ended(t, name, 5, 40*time.Second)
	h.reported(t, name)
	if states := h.states(t, name); states[lifecycle.TouchDelivered] != 5 {
		t.Errorf("touches: %v", states)
	}
	item, err := h.Store.Review(t.Context(), items[0].ID)
	must(t, err)
	if item.Status != lifecycle.ReviewApproved || item.DecidedBy == "" {
		t.Errorf("the review is %+v", item)
	}
}

// TestReviewEdited: an edit replaces the copy and voids what was read before;
// its author cannot approve it, somebody else can, by the update; what goes out
// is the edited copy.
func TestReviewEdited(t *testing.T) {
	h := open(t)
	t.Parallel()
	name := unique("edited")
	ids := h.customers(t, name, "ada", 3)
	h.store(t, name, own)
	h.campaign(t, control.Campaign{Name: name, Journey: name})
	item := h.awaiting(t, name)[0]
	before := item.Content[:12]

	h.shows(t, item.WorkflowID, before)
	const subject = "A quieter week at home"
	must(t, h.plane.Edit(t.Context(), item, workflows.Decision{By: "rosa", Parts: lifecycle.Parts{Subject: subject}}))
	h.shows(t, item.WorkflowID, "Edited by rosa")
	for _, refused := range []workflows.Decision{
		{Verdict: "approve", By: "rosa"},
		{Verdict: "approve", By: "maria", Hash: before},
		{Verdict: "perhaps", By: "maria"},
	} {
		if err := h.plane.Decide(t.Context(), item, refused); lifecycle.CodeOf(err) != lifecycle.Forbidden {
			t.Errorf("decision %+v: %v", refused, err)
		}
	}
	h.signal(t, item.WorkflowID, workflows.SignalApprove, nil)
	h.shows(t, item.WorkflowID, "the decision needs a name")
	if len(h.touches(t, name)) != 0 {
		t.Error("something went out before the edited copy was approved")
	}
	must(t, h.plane.Decide(t.Context(), item, workflows.Decision{Verdict: "approve", By: "maria"}))
	h.ended(t, name, 3, 40*time.Second)
	for _, id := range ids {
		if letter := h.mail(t, name, "note", id); letter.Subject != subject {
			t.Errorf("%s got %q", id, letter.Subject)
		}
	}
}

// TestReviewOfTouches: a step that asks for a person on each touch becomes one
// item for all touches of the same content; rejecting it sends nothing.
func TestReviewOfTouches(t *testing.T) {
	h := open(t)
	h.approvedCopy(t)
	t.Parallel()
	for verdict, want := range map[string]lifecycle.TouchState{"approve": lifecycle.TouchDelivered, "reject": lifecycle.TouchRejected} {
		name := unique("each-touch")
		h.customers(t, name, "ada", 12)
		h.store(t, name, strings.Replace(broadcast, "slot: suite/note,", "slot: suite/note, review: always,", 1))
		h.campaign(t, control.Campaign{Name: name, Journey: name})
		eventually(t, 30*time.Second, say("twelve touches in review"), func() (bool, error) {
			return h.states(t, name)[lifecycle.TouchInReview] == 12, nil
		})
		items := h.awaiting(t, name)
		if len(items) != 1 || items[0].Kind != lifecycle.ReviewTouch {
			t.Fatalf("in review: %+v", items)
		}
		eventually(t, 10*time.Second, say("twelve touches that wait for one review"), func() (bool, error) {
			waiters, err := h.Store.Waiters(t.Context(), items[0].ID, 100, "")
			return len(waiters) == 12, err
		})
		h.shows(t, items[0].WorkflowID, "Why it needs you")
		must(t, h.plane.Decide(t.Context(), items[0], workflows.Decision{Verdict: verdict, By: "rosa", Note: "seen"}))
		h.ended(t, name, 12, 40*time.Second)
		h.reported(t, name)
		if states := h.states(t, name); states[want] != 12 {
			t.Errorf("%s: touches %v", verdict, states)
		}
	}
}
