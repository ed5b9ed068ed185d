package onebox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/internal/control"
	"touchstone/internal/ingest"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
	"touchstone/workflows"
)

var names struct {
	sync.Mutex
	last map[string]int
}

// unique is a name nobody has used, also when a test runs several times.
func unique(base string) string {
	names.Lock()
	defer names.Unlock()
	if names.last == nil {
		names.last = map[string]int{}
	}
	names.last[base]++
	return fmt.Sprintf("%s-%d", base, names.last[base])
}

// customers imports a file of n customers of one cohort, who agreed to e-mail,
// and returns their external ids. at makes their addresses: "bounce" and the
// like steer delivery in the sandbox.
func (h *house) customers(t *testing.T, cohort, at string, n int) []string {
	t.Helper()
	var ids []string
	var file strings.Builder
	file.WriteString("external_id,email,first_name,time_zone,created_at,consent_email,consent_at,consent_source,cohort\n")
	signed := h.Clock.Now().AddDate(0, -1, 0).Format(time.RFC3339)
	for i := range n {
		id := fmt.Sprintf("%s-%03d", cohort, i)
		ids = append(ids, id)
		fmt.Fprintf(&file, "%s,%s+%s@example.com,Ada,Europe/Berlin,%s,granted,%s,sign-up form,%s\n", id, at, id, signed, signed, cohort)
	}
	h.importFile(t, "customers", file.String(), ingest.Mapping{Attributes: map[string]ingest.Column{"cohort": {Column: "cohort"}}}, n)
	return ids
}

// importFile imports a file through the code of `touchstone import`.
func (h *house) importFile(t *testing.T, kind ingest.Kind, content string, m ingest.Mapping, rows int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), string(kind)+".csv")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	summary, err := ingest.Import(t.Context(), ingest.Options{
		Kind: kind, Path: path, Mapping: m, Currency: h.plane.Brand.Currency, Clock: h.Clock, Store: h.Store, Bulk: h.Store, Imports: h.Store,
	})
	must(t, err)
	if int(summary.Accepted) != rows || summary.Rejected > 0 {
		t.Fatalf("import of %d %s: %+v", rows, kind, summary)
	}
}

// store stores a journey. {name} in the source is the journey's name.
func (h *house) store(t *testing.T, name, source string) {
	t.Helper()
	_, err := h.plane.StoreJourney(t.Context(), name+".yaml", journeySource(name, source), "maria")
	must(t, err)
}

// listen stores a journey that is entered by an event, and waits until a running
// worker knows it: it trusts its list of journeys for a second.
func (h *house) listen(t *testing.T, name, source string) {
	t.Helper()
	h.store(t, name, source)
	time.Sleep(1100 * time.Millisecond)
}

func journeySource(name, source string) []byte {
	const head = "journey: {name}\nagent: campaign\nclass: marketing\npriority: 50\nfallback: template\n"
	return []byte(strings.ReplaceAll(head+source, "{name}", name))
}

// broadcast is a journey of one e-mail to a cohort.
const broadcast = `entry: {segment: attributes.cohort == "{name}", every: 1d}
reentry: never
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
`

// triggered is a journey of one e-mail for everybody who does something.
const triggered = `entry: {event: "Did {name}"}
reentry: never
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
`

// suite is a journey whose copy most tests share.
const suite = `entry: {event: "Did {name}"}
steps:
  - id: note
    touch: {slot: suite/note, brief: Say hello.}
  - id: second
    touch: {slot: suite/second, brief: Say what is new.}
  - id: third
    touch: {slot: suite/third, brief: Say what others like.}
  - id: receipt
    touch: {slot: suite/receipt, class: transactional, brief: Confirm what was ordered.}
`

var copyReady sync.Once

// approvedCopy makes sure that the slots of suite have copy that a person
// approved.
func (h *house) approvedCopy(t *testing.T) {
	t.Helper()
	copyReady.Do(func() {
		_, err := h.plane.ApplyJourney(t.Context(), "suite.yaml", journeySource("suite", suite), "maria")
		must(t, err)
		h.reviewed(t, "suite", 4)
	})
}

// reviewed approves n creatives of a journey as they come into review.
func (h *house) reviewed(t *testing.T, journey string, n int) {
	t.Helper()
	eventually(t, 30*time.Second, say("copy in review"), func() (bool, error) {
		items, err := h.inReview(t, journey)
		return len(items) >= n, err
	})
	h.approveAll(t, journey)
}

// approveAll approves the copy of a journey as soon as it is in review.
func (h *house) approveAll(t *testing.T, journey string) {
	t.Helper()
	for _, item := range h.awaiting(t, journey) {
		must(t, h.plane.Decide(t.Context(), item, workflows.Decision{Verdict: "approve", By: "rosa", Hash: item.Content[:12]}))
	}
	eventually(t, 20*time.Second, say("approved copy of "+journey), func() (bool, error) {
		var open int
		err := h.db.QueryRow(t.Context(), `select count(*) from creatives c join reviews r on r.creative_id = c.id
			where r.journey = $1 and c.status in ('draft', 'in_review')`, journey).Scan(&open)
		return open == 0, err
	})
}

// awaiting waits until a journey has something in review and returns it.
func (h *house) awaiting(t *testing.T, journey string) []lifecycle.ReviewItem {
	t.Helper()
	var found []lifecycle.ReviewItem
	eventually(t, 30*time.Second, say("a review for "+journey), func() (_ bool, err error) {
		found, err = h.inReview(t, journey)
		return len(found) > 0, err
	})
	return found
}

func (h *house) inReview(t *testing.T, journey string) (found []lifecycle.ReviewItem, err error) {
	t.Helper()
	items, err := h.Store.Reviews(t.Context(), lifecycle.ReviewAwaiting, 500)
	for _, item := range items {
		if item.Journey == journey {
			found = append(found, item)
		}
	}
	return found, err
}

// campaign starts a campaign of the same name as its journey.
func (h *house) campaign(t *testing.T, c control.Campaign) {
	t.Helper()
	if c.Ramp == 0 {
		c.Ramp = 1
	}
	c.By = "maria"
	_, err := h.plane.StartCampaign(t.Context(), c)
	must(t, err)
}

// track posts one event through the gateway and returns its status.
func (h *house) track(t *testing.T, customer, event string, properties map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"userId": customer, "event": event, "messageId": unique("message"), "properties": properties,
		"timestamp": h.Clock.Now().Format(time.RFC3339Nano),
	})
	must(t, err)
	status, answer := h.post(t, h.Config.Gateway.PublicURL+"/v1/track", "application/json", body)
	if status != http.StatusOK {
		t.Fatalf("track %s: %d %s", event, status, answer)
	}
}

// trackAll posts one event of every customer in one batch.
func (h *house) trackAll(t *testing.T, customers []string, event string) {
	t.Helper()
	var batch []map[string]any
	for _, c := range customers {
		batch = append(batch, map[string]any{
			"type": "track", "userId": c, "event": event, "messageId": unique("message"), "timestamp": h.Clock.Now().Format(time.RFC3339Nano),
		})
	}
	body, err := json.Marshal(map[string]any{"batch": batch})
	must(t, err)
	status, answer := h.post(t, h.Config.Gateway.PublicURL+"/v1/batch", "application/json", body)
	if status != http.StatusOK || strings.Contains(answer, "rejected") {
		t.Fatalf("batch of %s: %d %s", event, status, answer)
	}
}

func (h *house) post(t *testing.T, url, kind string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", kind)
	req.SetBasicAuth(h.Config.Gateway.WriteKeys[0], "")
	return roundTrip(t, req)
}

func roundTrip(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

// customer is the internal id behind an external one.
func (h *house) customer(t *testing.T, external string) lifecycle.CustomerID {
	t.Helper()
	ids, err := h.Store.CustomerIDs(t.Context(), []string{external})
	must(t, err)
	if ids[external] == "" {
		t.Fatalf("there is no customer %s", external)
	}
	return ids[external]
}

// mail waits for the only message that a customer gets of a journey's step.
func (h *house) mail(t *testing.T, journey, step, customer string) sandbox.Delivered {
	t.Helper()
	var found sandbox.Delivered
	eventually(t, 30*time.Second, func() string {
		return fmt.Sprintf("the message of step %s of %s to %s: %+v", step, journey, customer, h.touches(t, journey))
	}, func() (bool, error) {
		for _, x := range h.touches(t, journey) {
			if x.customer == customer && x.step == step {
				if letter, ok := h.inbox.Load(string(x.id)); ok {
					found = letter.(sandbox.Delivered)
					return true, nil
				}
			}
		}
		return false, nil
	})
	return found
}

// runs are the runs of a customer through a journey, oldest first.
func (h *house) runs(t *testing.T, journey, external string) []ledger.Run {
	t.Helper()
	all, err := h.Store.RunsOf(t.Context(), h.customer(t, external))
	must(t, err)
	var found []ledger.Run
	for _, r := range all {
		if r.Journey == journey {
			found = append(found, r)
		}
	}
	return found
}
