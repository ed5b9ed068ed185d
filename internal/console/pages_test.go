package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/rollout"
)

// earn gives the customer a delivered touch and an order after it.
func (h *house) earn() {
	h.Helper()
	_, err := h.db.Exec(h.Context(), `insert into touches (id, key, run_id, customer_id, journey, version, step, channel, class, state, planned_at, sent_at)
		select new_id(), 'k/' || i, new_id(), $1, 'winback', 1, 'nudge', 'email', 'marketing', 'delivered', $2, $2 from generate_series(1, 4) i`, h.customer, noon.Add(-30*time.Hour))
	h.must(err)
	_, err = h.db.Exec(h.Context(), `insert into orders (external_id, customer_id, at, total, currency, received_at) values ('o1', $1, $2, 260, 'USD', $2)`, h.customer, noon.Add(-20*time.Hour))
	h.must(err)
	_, err = h.db.Exec(h.Context(), `update customer_stats set orders_count = 1, revenue = 260, currency = 'USD' where customer_id = $1`, h.customer)
	h.must(err)
}

func TestOverview(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.earn()
	b := h.as(access.Viewer)
	a := b.settled("/")
	// 2.60 USD after four touches: 0.65 per touch, above the target of 0.61.
	a.says("Attributed 0.65", "at or above the target of 0.61", "not enough data: 0 held-out customers, 30 needed", "Marketing touches 4", "Attributed revenue 2.60 USD")
	for _, k := range measure.Catalogue() {
		a.says(k.Title)
	}
	a.says("Counted")
	a.lacks("Stop everything")
	b.settled("/?period=7d").says("7 days")
	b.get("/?period=99y").is(http.StatusBadRequest).says("choose one that the page offers")
	h.as(access.Marketer).settled("/").says("Stop everything")
}

// readings are a source of metrics of its own.
type readings struct{ asked measure.KPIQuery }

func (r *readings) KPIs(_ context.Context, in measure.KPIQuery) ([]measure.Reading, error) {
	r.asked = in
	return []measure.Reading{
		{KPI: "rpmt", Status: measure.OK, Interval: measure.Interval{Estimate: 0.58, Low: 0.5, High: 0.66, Level: 0.95}},
		{KPI: "email_open_rate", Numerator: 30, Denominator: 100, Status: measure.OK, Interval: measure.Interval{Estimate: 0.3, Low: 0.29, High: 0.31}},
		{KPI: "email_click_rate", Status: measure.NotEnoughData, Why: "12 delivered, 100 needed"},
	}, nil
}

func (r *readings) Baselines(context.Context) (measure.Baselines, error) {
	return measure.Baselines{Levels: map[string]measure.Reading{"email_open_rate": {Interval: measure.Interval{Estimate: 0.123}}}}, nil
}

// RolledUpTo is two hours before everybody's now.
func (r *readings) RolledUpTo(context.Context) (time.Time, error) {
	return time.Now().Add(-2 * time.Hour), nil
}

func TestOverviewOfReadings(t *testing.T) {
	t.Parallel()
	source := &readings{}
	h := setup(t, func(c *Config) { c.KPIs = source })
	h.as(access.Viewer).settled("/?period=28d").says("0.58 USD", "0.50 USD to 0.66 USD", "0.45 USD 0.61 USD ◆ short of target not certain",
		"30.0% 30 of 100", "12.3% 28.6% ▲ on target", "not enough data 12 delivered, 100 needed", "not measured")
	if got := source.asked.To.Sub(source.asked.From); got != 28*24*time.Hour {
		t.Errorf("asked for %s", got)
	}
	if late := time.Since(source.asked.To); late < 2*time.Hour || late > 3*time.Hour {
		t.Errorf("asked for readings up to %s ago, which nobody has summed up", late)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	level := func(v float64) *float64 { return &v }
	up := measure.KPI{Better: measure.Higher, Baseline: level(10), Target: level(20), Stretch: level(30)}
	down := measure.KPI{Better: measure.Lower, Baseline: level(30), Target: level(20)}
	for _, c := range []struct {
		kpi            measure.KPI
		at, low, high  float64
		class, word    string
		unsure, unread bool
	}{
		{up, 35, 31, 39, "good", "stretch goal reached", false, false},
		{up, 25, 21, 29, "good", "on target", false, false},
		{up, 25, 15, 29, "good", "on target", true, false},
		{up, 15, 11, 19, "fair", "short of target", false, false},
		{up, 5, 4, 6, "poor", "worse than baseline", false, false},
		{down, 15, 15, 15, "good", "on target", false, false},
		{down, 25, 25, 25, "fair", "short of target", false, false},
		{down, 35, 35, 35, "poor", "worse than baseline", false, false},
		{measure.KPI{Target: level(5), Better: measure.Higher}, 4, 4, 4, "poor", "short of target", false, false},
		{measure.KPI{}, 4, 4, 4, "none", "no target", false, false},
		{up, 0, 0, 0, "none", "not enough data", false, true},
	} {
		r := measure.Reading{KPI: "x", Status: measure.OK, Interval: measure.Interval{Estimate: c.at, Low: c.low, High: c.high}}
		if c.unread {
			r.Status = measure.NotEnoughData
		}
		if got := judge(c.kpi, r); got != (light{c.class, c.word, c.unsure}) {
			t.Errorf("%v at %v: %+v", c.kpi, c.at, got)
		}
	}
}

func TestJourneysAndCampaigns(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Marketer)
	b.settled("/journeys").says("winback", "version 1", "by maria", "running")
	a := b.settled("/journeys/winback").says("Entered 1", "On the way 1", "nudge sends by email", "Where everybody is", "Source of version 1", "abcdef012345")
	if !strings.Contains(a.body, "workflows?query=") {
		t.Error("no link into the Temporal UI")
	}
	b.settled("/campaigns").says("spring", "journey winback v1", "50.0%")
	b.get("/campaigns/spring").is(http.StatusOK).says(`stage == "lapsed"`, "50.0% of the cohort, 10.0% held out", "by maria", "Asking its workflow")
	b.get("/campaigns/spring/progress").is(http.StatusOK).says("3 worked through", "goes well")
	b.get("/journeys/nothing").is(http.StatusNotFound).says("there is no journey nothing")
	b.get("/campaigns/nothing").is(http.StatusNotFound).says("there is no campaign nothing")
}

// TestStopAndResume: whoever may stop says why and signs; only some may resume.
func TestStopAndResume(t *testing.T) {
	t.Parallel()
	h := setup(t)
	reviewer, marketer := h.as(access.Reviewer), h.as(access.Marketer)
	form := url.Values{"scope": {"journey"}, "name": {"winback"}, "state": {"paused"}}
	reviewer.post("/controls/stop", form).is(http.StatusBadRequest).says("say why")
	form.Set("reason", "prices are wrong")
	reviewer.post("/controls/stop", form).leads("/journeys/winback?done=paused")
	reviewer.get("/journeys/winback?done=paused").says("Paused. Everybody keeps their place.", "Journey winback is paused", "by "+reviewer.name+": prices are wrong")
	reviewer.post("/controls/resume", form).is(http.StatusForbidden)
	marketer.get("/rollout").says("Journey winback is paused", "Resume", "No programme is running")
	marketer.post("/controls/resume", form).leads("/journeys/winback?done=resumed")
	marketer.get("/rollout").lacks("is paused")
	for field, bad := range map[string]string{"scope": "planet", "name": "nothing", "state": "running"} {
		wrong := url.Values{"scope": {"journey"}, "name": {"winback"}, "state": {"halted"}, "reason": {"x"}}
		wrong.Set(field, bad)
		if a := marketer.post("/controls/stop", wrong); a.status != http.StatusBadRequest && a.status != http.StatusNotFound {
			t.Errorf("%s %s: %d", field, bad, a.status)
		}
	}
	marketer.post("/controls/stop", url.Values{"scope": {"channel"}, "name": {"email"}, "state": {"halted"}, "reason": {"<b>bounces</b>"}}).leads("/?done=halted")
	marketer.get("/rollout").says("Channel email is halted").lacks("<b>bounces</b>")
}

func TestRollout(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Viewer)
	b.get("/rollout").is(http.StatusOK).says("No programme is running")
	at := noon
	record := func(kind string) ledger.Record {
		return ledger.Record{At: at, Kind: kind, Actor: "ann", Subject: "three-phases", Body: []byte(`{"phase":"foundation","stage":"weeks-1-2","why":"it begins"}`)}
	}
	if _, err := h.store.StartRollout(t.Context(), "three-phases", rollout.Shipped(), nil, "ann", record("rollout.started")); err != nil {
		t.Fatal(err)
	}
	err := h.store.ChangeRollout(t.Context(), ledger.RolloutChange{Programme: "three-phases", Version: 1, Number: 1, Status: "running", Phase: "foundation",
		Stage: "weeks-1-2", Since: at, Record: record("rollout.entered")})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.SaveAssessment(t.Context(), "three-phases", 1, []byte(`{"phase":"foundation","stage":"weeks-1-2","why":"waits for 100 customers","sample":12,"minimum":100,
		"gates":[{"condition":"compliance_violations == 0","kpi":"compliance_violations","verdict":"holds"}],
		"guardrails":[{"condition":"hard_bounce_rate < 3%","verdict":"no data","why":"12 e-mails","else":"step back"}],
		"checklist":[{"item":"compliance","title":"Zero violations","done":true,"evidence":"0"}]}`)); err != nil {
		t.Fatal(err)
	}
	b.get("/rollout").is(http.StatusOK).says("Foundation, scale, optimisation", "running", "waits for 100 customers", "12 customers reached of 100", "▲ holds", "○ no data",
		"else step back", "☑ Zero violations", "a person decides at its end", "it begins", "ann").lacks("No programme is running")
}

func TestCustomers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.earn()
	b := h.as(access.Marketer)
	at := "/customers/" + string(h.customer)
	b.get("/customers").is(http.StatusOK).says("Find a customer")
	for _, exact := range []string{"C000001", " C000001 ", secretAddress, strings.ToUpper(secretAddress), string(h.customer)} {
		b.post("/customers", url.Values{"q": {exact}}).leads(at)
	}
	b.post("/customers", url.Values{"q": {"C0000"}}).is(http.StatusOK).says("C000001").lacks(secretAddress)
	b.post("/customers", url.Values{"q": {"c0000"}}).is(http.StatusOK).says("Nobody found")
	b.post("/customers", url.Values{"q": {""}}).is(http.StatusOK).lacks("Nobody found", at)
	b.do(http.MethodPost, "/customers", url.Values{"q": {"C000001"}}, http.Header{"Hx-Request": {"true"}}).is(http.StatusOK).says("C000001")
	b.get(at).is(http.StatusOK).says("C000001", secretAddress, "Europe/Berlin", "Orders 1", "2.60 USD", "winback", "winback/nudge: blocked",
		"consent-age says block: the consent is too old (saw 800d, limit 720d)", "Outside journeys", "order of 2.60 USD")
	for _, bad := range []string{"/customers/00000000-0000-0000-0000-000000000000", "/customers/nobody"} {
		b.get(bad).is(http.StatusNotFound).says("there is no customer")
	}
}

// TestPersonalDataStays: the customer's address is on the customer's page and
// nowhere else, and in no log.
func TestPersonalDataStays(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Admin)
	for _, path := range append(h.pages(), "/audit?all&customer=C000001") {
		if a := b.settled(path); strings.Contains(a.body, secretAddress) != strings.HasSuffix(path, string(h.customer)) {
			t.Errorf("%s and the address of a customer: %v", path, strings.Contains(a.body, secretAddress))
		}
	}
	b.post("/customers", url.Values{"q": {secretAddress + "x"}})
	if strings.Contains(h.log.String(), "lovelace") {
		t.Error("an address is in the log")
	}
}

func TestGuardrails(t *testing.T) {
	t.Parallel()
	h := setup(t)
	seen := h.as(access.Reviewer).settled("/guardrails").says("consent-age", "block 1 objection to 1 touch", "winback/nudge", "800d", "720d", "the consent is too old", "rules did not object")
	if !strings.Contains(seen.body, "/customers/"+string(h.customer)) {
		t.Error("the example does not lead to its customer")
	}
	h.as(access.Viewer).settled("/guardrails").says("consent-age").lacks(string(h.customer))
}

func TestAudit(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Reviewer)
	for i := range logShown + 5 {
		h.must(h.store.AppendDecisions(t.Context(), []ledger.Record{{At: noon.Add(time.Duration(i) * time.Second), Kind: "control.paused", Actor: "maria", Subject: "journey winback", Body: []byte(`{"n":` + number(i) + `}`)}}))
	}
	h.must(h.store.AppendDecisions(t.Context(), []ledger.Record{{At: noon, Kind: "campaign.enrolled", Actor: "engine", Subject: "spring", Body: []byte(`{}`)}}))
	first := b.get("/audit").is(http.StatusOK).says("control paused", "maria", `"n": 54`, "Older").lacks("campaign enrolled</summary>", "touch blocked</summary>")
	older := first.body[strings.Index(first.body, `href="/audit?`)+len(`href="`):]
	older = strings.ReplaceAll(older[:strings.Index(older, `"`)], "&amp;", "&")
	b.get(older).is(http.StatusOK).says("journey applied", `"n": 0`).lacks(`"n": 54`, "Older</a>")
	b.get("/audit?all").says("campaign enrolled")
	kind := b.get("/audit?kind=control.paused").says(`"n": 54`).lacks("journey applied</summary>")
	next := kind.body[strings.Index(kind.body, `href="/audit?`)+len(`href="`):]
	b.get(strings.ReplaceAll(next[:strings.Index(next, `"`)], "&amp;", "&")).is(http.StatusOK).says(`"n": 0`).lacks(`"n": 54`, `"n": 5 `)
	b.get("/audit?customer=C000001").says("touch blocked").lacks("control paused</summary>")
	b.get("/audit?customer=" + string(h.customer)).says("touch blocked")
	b.get("/audit?customer=nobody").is(http.StatusNotFound)
	b.get("/audit?before=x").is(http.StatusBadRequest)
	b.get("/audit?at=x").is(http.StatusBadRequest)

	verified := func() string {
		b.post("/audit/verify", nil).leads("/audit#proof")
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if text := b.get("/audit").text(); !strings.Contains(text, "being recomputed") || time.Now().After(deadline) {
				return text
			}
		}
	}
	if text := verified(); !strings.Contains(text, "▲ Whole : 58 entries verified") {
		t.Error(text)
	}
	_, err := h.db.Exec(t.Context(), `alter table decision_log disable trigger user; update decision_log set actor = 'nobody' where seq = 3`)
	h.must(err)
	if text := verified(); !strings.Contains(text, "▼ Not whole at entry 3") {
		t.Error(text)
	}
}

// TestKept: however many ask, a figure is computed once at a time; the last one
// is shown meanwhile, and after a failure too.
func TestKept(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	fail := atomic.Bool{}
	proceed := make(chan struct{}, 8)
	k := &kept[int32]{fresh: time.Hour, load: func() (int32, error) {
		<-proceed
		if fail.Load() {
			return 0, errors.New("no")
		}
		return runs.Add(1), nil
	}}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if r := k.get(0); r.Known || !r.Running {
				t.Errorf("before the first: %+v", r)
			}
		})
	}
	group.Wait()
	proceed <- struct{}{}
	if r := k.get(time.Minute); !r.Known || r.Value != 1 || runs.Load() != 1 {
		t.Errorf("first: %+v after %d runs", r, runs.Load())
	}
	k.mu.Lock()
	k.at = time.Now().Add(-2 * time.Hour)
	k.mu.Unlock()
	fail.Store(true)
	if r := k.get(time.Minute); r.Value != 1 || !r.Running {
		t.Errorf("stale: %+v", r)
	}
	proceed <- struct{}{}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		failed := k.err != nil
		k.mu.Unlock()
		if failed {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the failure is not told")
		}
	}
	fail.Store(false)
	close(proceed)
	if r := k.get(0); r.Value != 1 || !r.Known {
		t.Errorf("after a failure: %+v", r)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		number(1234567): "1,234,567", amountOf(1234.5, "USD"): "1,234.50 USD", amountOf(-0.004, "USD"): "0.00 USD", amountOf(-3, "JPY"): "\u22123 JPY",
		percent(0.1234): "12.3%", initials("jane van doe"): "JV", initials(""): "", words(lifecycle.TouchInReview): "in review", shorten(4, "abcdef"): "abc…", ending("short"): "short",
		lasting(90 * time.Minute): "1 h 30 min", lasting(50 * time.Hour): "2 d 2 h", valueOf(measure.UnitShare, 0.0008, ""): "0.08%", valueOf(measure.UnitRatio, 2, ""): "2.00",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
