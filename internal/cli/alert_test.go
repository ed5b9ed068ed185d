package cli_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/internal/postgres"
	"touchstone/internal/watch"
)

// wrong opens an alert behind the command line's back.
func wrong(t *testing.T, s *postgres.Store) {
	t.Helper()
	value, limit := 0.0021, 0.001
	_, _, err := s.Observe(t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindBreaker}, At: time.Now().Add(-90 * time.Minute), Conditions: []watch.Condition{{
		Key: "breaker/complaints/email", Kind: watch.KindBreaker, Severity: watch.Critical, Title: "email spam complaint rate is at or above 0.1 %",
		Detail: "21 of 10000 messages delivered in the last 24 hours (95 % interval 0.14 % to 0.32 %)", Metric: "complaints", Value: &value, Limit: &limit}}}, []string{"webhook"})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("alert", "list").ok().line("nothing is wrong")
	if lines := into[[]map[string]any](tm.run("alert", "list", "--json")); len(lines) != 0 {
		t.Errorf("%v", lines)
	}
	tm.run("status").ok().lacks("alert")
	tm.run("alert", "show", "12345678").exits(1).complains("alert list")
	s := tm.store()
	wrong(t, s)
	tm.run("status").ok().narrow().line("alerts", "1 is open", "alert list", "complaint rate")
	list := tm.run("alert", "list").ok().narrow()
	list.line("ID", "SEVERITY", "WHAT", "STATE").line("critical", "complaint rate", "open 1h30m")
	alert := into[[]struct {
		ID    string
		Value float64
		Open  bool
	}](tm.run("alert", "list", "--json"))[0]
	if alert.Value != 0.0021 || !alert.Open {
		t.Errorf("%+v", alert)
	}
	short := alert.ID[28:]
	tm.run("alert", "show", short).ok().narrow().line("alert "+alert.ID, "critical").line("21 of 10000").line("limit", "0.001").line("opened", "webhook", "waits after 0 attempts")
	tm.run("alert", "ack", short, "--by", "").exits(2).complains("--by")
	tm.run("alert", "ack", short).ok().line("alert "+short, "jane")
	tm.run("alert", "ack", short, "--by", "tom").exits(1).complains("acknowledged already")
	tm.run("alert", "list").ok().line("with jane")
	if _, _, err := s.Observe(t.Context(), watch.Observation{Kinds: []watch.Kind{watch.KindBreaker}, At: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	tm.run("alert", "list").ok().line("nothing is wrong")
	tm.run("alert", "list", "--all").ok().narrow().line("complaint rate", "over after 1h")
	shown := into[struct {
		Open    bool
		AckedBy string `json:"acked_by"`
		Notices []watch.Delivery
	}](tm.run("alert", "show", short, "--json"))
	if shown.Open || shown.AckedBy != "jane" || len(shown.Notices) != 1 {
		t.Errorf("%+v", shown)
	}
}

func TestAlertTest(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("alert", "test").exits(2).complains("TOUCHSTONE_ALERT_WEBHOOK")
	var status atomic.Int64
	status.Store(http.StatusOK)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer service.Close()
	tm.env["TOUCHSTONE_ALERT_WEBHOOK"] = service.URL + "/s3cret"
	tm.run("alert", "test").ok().line("webhook took it")
	status.Store(http.StatusNotFound)
	r := tm.run("alert", "test").exits(1)
	r.line("webhook did NOT take it", "404").lacks("s3cret")
	tm.env["TOUCHSTONE_ALERT_EMAIL"] = "ops"
	tm.env["SENDGRID_API_KEY"] = "SG.x"
	tm.run("alert", "test").exits(2).complains("ops@example.com")
	tm.env["TOUCHSTONE_ALERT_WEBHOOK"] = "hooks"
	tm.run("alert", "test").exits(2).complains("absolute")
}

func TestServiceLevels(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("sla", "show").ok().line("nothing is recorded")
	tm.run("sla", "show", "--from", "yesterday").exits(2).complains("2026-03-02")
	tm.run("sla", "show", "--from", "2026-03-02", "--to", "2026-03-01").exits(2).complains("not before")
	s := tm.store()
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var beats []watch.Heartbeat
	for i := range 24 * 60 {
		beats = append(beats, watch.Heartbeat{Component: watch.Gateway, Minute: start.Add(time.Duration(i) * time.Minute), Up: i%144 != 0})
	}
	if err := s.SaveHeartbeats(t.Context(), beats); err != nil {
		t.Fatal(err)
	}
	if err := s.AddLatencies(t.Context(), start, map[string]watch.Histogram{watch.LatencyDecision: {watch.Bucket(50 * time.Millisecond): 99, watch.Bucket(5 * time.Second): 1}}); err != nil {
		t.Fatal(err)
	}
	r := tm.run("sla", "show", "--from", "2026-03-02", "--to", "2026-03-03").ok().narrow()
	r.line("COMPONENT", "UP", "MINUTES", "DOWN").line("gateway", "99.306%", "1440", "10", "0").line("decision", "100", "2s", "99.0%")
	levels := into[watch.Levels](tm.run("sla", "show", "--from", "2026-03-02", "--to", "2026-03-03", "--json"))
	if len(levels.Uptimes) != 1 || levels.Uptimes[0].Share.Hits != 1430 || len(levels.Timings) != 1 || levels.Timings[0].P95 > 60*time.Millisecond {
		t.Errorf("%+v", levels)
	}
}
