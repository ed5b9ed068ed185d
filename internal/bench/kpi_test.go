package bench_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gonum.org/v1/gonum/stat/distuv"

	"touchstone/internal/bench"
	"touchstone/internal/devstack/pgtest"
	"touchstone/internal/measure"
	"touchstone/internal/postgres"
	"touchstone/internal/report"
)

var yearStart = time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// year is a small generated year, rolled up.
type year struct {
	*postgres.Store
	t *testing.T
	c *pgx.Conn
}

func newYear(t *testing.T, of bench.Year) year {
	t.Helper()
	url := pgtest.Migrated(t, postgres.Migrate)
	store, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	y := year{store, t, c}
	y.must(store.EnsurePartitions(t.Context(), of.Start.Add(-30*day), of.Start.Add(400*day)))
	y.must(of.Fill(t.Context(), c))
	// For the plain SQL: our own statements do without it.
	_, err = c.Exec(t.Context(), "create index on touches (customer_id, sent_at); analyze")
	y.must(err)
	_, err = store.RollUp(t.Context(), measure.Rollup{Now: of.Start.Add(366 * day), Attribution: 7 * day, Currency: "USD"})
	y.must(err)
	return y
}

func (y year) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// plain runs an expected figure's SQL: numerator and denominator. :from, :to,
// :sent and :sold stand for the period and for what went out or came in.
func (y year) plain(sql string, from, to time.Time) (numerator, denominator float64) {
	y.t.Helper()
	quoted := func(at time.Time) string { return "'" + at.Format(time.RFC3339) + "'::timestamptz" }
	text := strings.NewReplacer(
		":sent", "t.class = 'marketing' and t.state in ('sending', 'unconfirmed', 'accepted', 'delivered', 'bounced', 'complained') and t.sent_at >= :from and t.sent_at < :to",
		":sold", "o.currency = 'USD' and o.at >= :from and o.at < :to").Replace(sql)
	text = strings.NewReplacer(":from", quoted(from), ":to", quoted(to)).Replace(text)
	if err := y.c.QueryRow(y.t.Context(), "select n::double precision, d::double precision from ("+text+") x (n, d)").Scan(&numerator, &denominator); err != nil {
		y.t.Fatalf("%v\n%s", err, text)
	}
	return numerator, denominator
}

const (
	// The last marketing touch at most seven days before each order.
	lastTouch = `(select t.id, t.channel, t.sent_at from touches t where t.customer_id = o.customer_id and t.class = 'marketing'
		and t.state in ('sending', 'unconfirmed', 'accepted', 'delivered', 'bounced', 'complained')
		and t.sent_at < o.at and t.sent_at >= o.at - interval '7 days' order by t.sent_at desc, t.id desc limit 1)`
	credited = `orders o, lateral ` + lastTouch + ` l where :sold and l.sent_at >= :from`
	// Touches and what customers bought in each twelve months.
	buyers = `(select customer_id, count(*) filter (where total > 0 and at >= :to - interval '365 days') as recent,
		count(*) filter (where total > 0 and at < :to - interval '365 days') as earlier,
		sum(total) filter (where at >= :to - interval '365 days') / 100.0 as spent
		from orders where currency = 'USD' and at >= :to - interval '730 days' and at < :to group by customer_id)`
	months = `(extract(epoch from :to - :from) / 86400 / (365.25 / 12))`
)

func rate(hit, of string) string {
	return "select count(*) filter (where " + hit + "), count(*) from touches t where " + of
}

const judged = "t.class = 'marketing' and t.state <> 'skipped' and coalesce(t.sent_at, t.planned_at) >= :from and coalesce(t.sent_at, t.planned_at) < :to"

// plainly are the KPIs again, by SQL that knows nothing of sums.
var plainly = map[string]string{
	"rpmt":                    "select (select sum(o.total) / 100.0 from " + credited + "), (select count(*) from touches t where :sent)",
	"revenue_per_email":       "select (select sum(o.total) / 100.0 from " + credited + " and l.channel = 'email'), (select count(*) from touches t where :sent and t.channel = 'email')",
	"revenue_per_sms":         "select (select sum(o.total) / 100.0 from " + credited + " and l.channel = 'sms'), (select count(*) from touches t where :sent and t.channel = 'sms')",
	"conversion_rate":         "select (select count(distinct l.id) from " + credited + " and o.total > 0), (select count(*) from touches t where :sent)",
	"conversion_improvement":  "select (select count(distinct l.id) from " + credited + " and o.total > 0) - x.e, x.e from (select count(*) * 0.025 as e from touches t where :sent) x",
	"average_order_value":     "select sum(o.total) / 100.0, count(*) from orders o where :sold and o.total > 0",
	"customer_lifetime_value": "select sum(spent), count(*) from " + buyers + " b where recent > 0",
	"repeat_purchase_rate":    "select count(*) filter (where recent > 1), count(*) from " + buyers + " b where recent > 0",
	"retention_rate":          "select count(*) filter (where recent > 0), count(*) from " + buyers + " b where earlier > 0",
	"churn_rate":              "select count(*) filter (where recent = 0), count(*) from " + buyers + " b where earlier > 0",
	"email_open_rate":         rate("t.opened_at is not null", ":sent and t.channel = 'email' and t.state in ('delivered', 'complained')"),
	"email_click_rate":        rate("t.clicked_at is not null", ":sent and t.channel = 'email' and t.state in ('delivered', 'complained')"),
	"sms_open_rate":           rate("t.opened_at is not null", ":sent and t.channel = 'sms' and t.state in ('delivered', 'complained')"),
	"push_click_rate":         rate("t.clicked_at is not null", ":sent and t.channel = 'push' and t.state in ('delivered', 'complained')"),
	"spam_complaint_rate":     rate("t.state = 'complained'", ":sent and t.channel = 'email' and t.state in ('delivered', 'complained')"),
	"unsubscribe_rate": rate("exists (select from provider_events e where e.touch_id = t.id and e.kind = 'unsubscribed')",
		":sent and t.channel = 'email' and t.state in ('delivered', 'complained')"),
	"hard_bounce_rate": rate("t.state = 'bounced' and exists (select from provider_events e where e.touch_id = t.id and e.kind = 'bounced')",
		":sent and t.channel = 'email'"),
	"email_delivery_rate":       rate("t.state in ('delivered', 'complained')", ":sent and t.channel = 'email'"),
	"sms_delivery_rate":         rate("t.state in ('delivered', 'complained')", ":sent and t.channel = 'sms'"),
	"guardrail_violation_rate":  rate("t.state = 'blocked'", judged),
	"manual_review_share":       rate("exists (select from touch_history h where h.touch_id = t.id and h.state = 'in_review')", judged),
	"manual_review_reduction":   rate("not exists (select from touch_history h where h.touch_id = t.id and h.state = 'in_review')", judged),
	"autonomous_decision_share": rate("not exists (select from touch_history h where h.touch_id = t.id and h.state = 'in_review')", judged),
	"brand_tone_consistency": `select (select count(*) from touches t where ` + judged + `) - (select count(distinct d.touch_id) from decision_log d
		where d.at >= :from and d.at < :to and d.body::jsonb #>> '{verdict,findings,0,rule}' = 'tone'), (select count(*) from touches t where ` + judged + `)`,
	"cost_per_acquisition": `select (select sum(t.cost) from touches t where :sent) / 100.0 + (select sum(c.cost) from creatives c where c.created_at >= :from and c.created_at < :to) / 100.0,
		(select count(*) from ` + credited + ` and o.total > 0)`,
	"marketing_efficiency_ratio": `select (select sum(o.total) / 100.0 from ` + credited + `),
		(select sum(t.cost) from touches t where :sent) / 100.0 + (select sum(c.cost) from creatives c where c.created_at >= :from and c.created_at < :to) / 100.0`,
	"email_frequency":      "select count(*) / " + months + ", count(distinct t.customer_id) from touches t where :sent and t.channel = 'email'",
	"campaign_launch_time": "select sum(extract(epoch from started_at - created_at)), count(*) from campaigns where started_at is not null and created_at >= :from and created_at < :to",
	"win_back_conversion_rate": `select count(distinct t.customer_id) filter (where exists (select from orders o where o.customer_id = t.customer_id and o.currency = 'USD'
		and o.total > 0 and o.at > t.sent_at and o.at <= t.sent_at + interval '7 days' and o.at < :to)), count(distinct t.customer_id) from touches t where :sent and t.group_key = 'lapsed'`,
	"list_decay_rate": `select count(*) filter (where x.lost) / ` + months + `, count(*) from (select c.customer_id, c.state, c.at,
		c.state = 'withdrawn' and c.source <> 'erasure' and c.at >= :from and c.at < :to or exists (select from touches t join provider_events e on e.touch_id = t.id
			where t.customer_id = c.customer_id and t.channel = 'email' and e.kind in ('bounced', 'complained', 'unsubscribed') and e.at >= :from and e.at < :to) as lost
		from consents c) x where x.lost or x.state = 'granted'`,
	"compliance_violations": `select count(*), ` + months + ` from touches t join customers c on c.id = t.customer_id where :sent and (
		exists (select from consents n where n.customer_id = t.customer_id and n.channel = t.channel and n.state = 'withdrawn' and n.at < t.sent_at)
		or t.channel = 'email' and exists (select from suppressions s where s.channel = 'email' and s.address_hash = address_hash(c.email) and s.at < t.sent_at)
		or c.erased_at < t.sent_at)`,
	"review_time":    "select sum(extract(epoch from decided_at - opened_at)), count(*) from reviews where status in ('approved', 'rejected') and opened_at >= :from and opened_at < :to",
	"review_in_time": "select count(*) filter (where decided_at <= due_at), count(*) from reviews where status in ('approved', 'rejected') and opened_at >= :from and opened_at < :to",
	"approval_quality": `select count(*) filter (where status = 'approved'), count(*) from reviews where kind = 'touch'
		and status in ('approved', 'rejected') and opened_at >= :from and opened_at < :to`,
	"llm_approval_rate": `select count(*) filter (where r.status = 'approved'), count(*) from reviews r join creatives c on c.id = r.creative_id
		where r.kind = 'creative' and c.source = 'model' and r.status in ('approved', 'rejected') and r.opened_at >= :from and r.opened_at < :to`,
	"creative_quality": `select count(*) filter (where approved_by <> ''), count(*) from creatives
		where source <> 'template' and status in ('approved', 'rejected', 'retired') and created_at >= :from and created_at < :to`,
	"test_coverage": `select count(*) filter (where (select count(distinct t.creative_id) from touches t where t.campaign = c.name and t.journey = c.journey and t.sent_at is not null) > 1),
		count(*) from campaigns c where started_at is not null and created_at >= :from and created_at < :to`,
	"customer_coverage": `select count(*) filter (where exists (select from journey_runs r where r.customer_id = c.id and r.arm = 'treated')), count(*) from customers c where c.erased_at is null`,
	"peak_hourly_touches": `select max(n), 1 from (select count(*) as n from touches t where t.state in ('sending', 'unconfirmed', 'accepted', 'delivered', 'bounced', 'complained')
		and t.sent_at >= :from and t.sent_at < :to group by date_trunc('hour', t.sent_at, 'UTC')) h`,
}

// unanswerable KPIs have no rows yet; those of the holdout are compared with the
// report below.
var unanswerable = []string{"test_significance_rate", "churn_prediction_auc"}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func TestKPIsAgreeWithPlainSQL(t *testing.T) {
	t.Parallel()
	y := newYear(t, bench.Year{Customers: 3000, Touches: 45_000, Events: 10_000, Start: yearStart})
	for _, period := range []struct{ from, to time.Time }{
		{yearStart, yearStart.Add(365 * day)},
		{yearStart.Add(100*day + 5*time.Hour), yearStart.Add(160*day + 17*time.Hour)}, // hours that cut days
	} {
		readings, err := y.KPIs(t.Context(), measure.KPIQuery{From: period.from, To: period.to})
		y.must(err)
		answered := 0
		for _, r := range readings {
			sql, known := plainly[r.KPI]
			if !known {
				continue
			}
			if strings.Contains(r.Why, "orders are needed back to") { // and the whole year has them
				continue
			}
			n, d := y.plain(sql, period.from, period.to)
			if !near(r.Numerator, n) || !near(r.Denominator, d) {
				t.Errorf("%s: %v / %v, plain SQL says %v / %v", r.KPI, r.Numerator, r.Denominator, n, d)
			}
			if r.Status != measure.OK {
				if !strings.Contains(r.Why, "needed") {
					t.Errorf("%s: %s", r.KPI, r.Why)
				}
				continue
			}
			answered++
			if r.Interval.Low > r.Interval.Estimate || r.Interval.High < r.Interval.Estimate || !near(r.Interval.Estimate, n/d) {
				t.Errorf("%s: interval %+v around %v", r.KPI, r.Interval, n/d)
			}
		}
		if want := map[bool]int{true: len(plainly) - 1, false: len(plainly) - 4}[period.from.Equal(yearStart)]; answered < want {
			t.Errorf("%d KPIs were answered, want %d", answered, want)
		}
		y.checkIncremental(readings, period.from, period.to)
	}
	y.checkIntervals()
	y.checkParts()
}

// The programme's comparison is the report's.
func (y year) checkIncremental(readings []measure.Reading, from, to time.Time) {
	y.t.Helper()
	r, err := report.Build(y.t.Context(), y.Store, report.Options{From: from, To: to, Currency: "USD"})
	y.must(err)
	lift := r.RpMT.Incremental
	for _, k := range readings {
		switch k.KPI {
		case "rpmt_incremental":
			if k.Status != measure.OK || k.Interval != lift.PerTouch.Interval {
				y.t.Errorf("incremental RpMT %+v, the report says %+v", k, lift.PerTouch)
			}
		case "rpmt":
			if k.Status != measure.OK || !near(k.Interval.Estimate, *r.RpMT.Attributed) {
				y.t.Errorf("attributed RpMT %+v, the report says %v", k, *r.RpMT.Attributed)
			}
		case "annual_revenue_impact":
			if years := to.Sub(from).Hours() / 24 / 365.25; !near(k.Interval.Low*years, lift.Revenue.Interval.Low) {
				y.t.Errorf("impact %+v, the report says %+v", k, lift.Revenue)
			}
		}
		for _, id := range unanswerable {
			if k.KPI == id && (k.Status != measure.NotEnoughData || !strings.Contains(k.Why, "nearest")) {
				y.t.Errorf("%s: %+v, want to be told what is nearest", id, k)
			}
		}
	}
}

// Intervals against their formulas, from rows.
func (y year) checkIntervals() {
	y.t.Helper()
	from, to := yearStart.Add(28*day), yearStart.Add(56*day)
	readings, err := y.KPIs(y.t.Context(), measure.KPIQuery{From: from, To: to})
	y.must(err)
	got := map[string]measure.Reading{}
	for _, r := range readings {
		got[r.KPI] = r
	}
	rows, err := y.c.Query(y.t.Context(), fmt.Sprintf(`select b, coalesce(r.revenue, 0)::double precision, coalesce(s.n, 0)::double precision from generate_series(0, 31) b
		left join (select ('x' || right(o.customer_id::text, 2))::bit(8)::int %% 32 as b, sum(o.total) / 100.0 as revenue
			from orders o, lateral %s l where o.currency = 'USD' and o.at >= $1 and o.at < $2 and l.sent_at >= $1 group by 1) r using (b)
		left join (select ('x' || right(t.customer_id::text, 2))::bit(8)::int %% 32 as b, count(*) as n from touches t
			where t.class = 'marketing' and t.sent_at >= $1 and t.sent_at < $2 group by 1) s using (b)`, lastTouch), from, to)
	y.must(err)
	var x, n [32]float64
	var b int
	var revenue, touches float64
	_, err = pgx.ForEachRow(rows, []any{&b, &revenue, &touches}, func() error { x[b], n[b] = revenue, touches; return nil })
	y.must(err)
	sum, count, squares := 0.0, 0.0, 0.0
	for i := range x {
		sum, count = sum+x[i], count+n[i]
	}
	for i := range x {
		squares += math.Pow(x[i]-sum/count*n[i], 2)
	}
	half := distuv.StudentsT{Sigma: 1, Nu: 31}.Quantile(0.975) * math.Sqrt(32.0/31*squares) / count
	if i := got["rpmt"].Interval; !near(i.Low, sum/count-half) || !near(i.High, sum/count+half) || half <= 0 {
		y.t.Errorf("RpMT from %v to %v, by the formula %v ± %v", i.Low, i.High, sum/count, half)
	}
	r := got["email_open_rate"]
	p, z := r.Numerator/r.Denominator, distuv.UnitNormal.Quantile(0.975)
	for _, bound := range []float64{r.Interval.Low, r.Interval.High} { // Wilson's bounds solve the score equation
		if math.Abs(math.Abs(p-bound)-z*math.Sqrt(bound*(1-bound)/r.Denominator)) > 1e-9 {
			y.t.Errorf("open rate %v of %v: bound %v", p, r.Denominator, bound)
		}
	}
	var mean, sd, m float64
	y.must(y.c.QueryRow(y.t.Context(), `select avg(s), stddev_samp(s), count(*) from (select extract(epoch from decided_at - opened_at)::double precision as s from reviews
		where status in ('approved', 'rejected') and opened_at >= $1 and opened_at < $2) r`, from, to).Scan(&mean, &sd, &m))
	half = distuv.StudentsT{Sigma: 1, Nu: m - 1}.Quantile(0.975) * sd / math.Sqrt(m)
	if i := got["review_time"].Interval; math.Abs(i.Low-(mean-half)) > 1e-6 || math.Abs(i.High-(mean+half)) > 1e-6 {
		y.t.Errorf("review time %+v, want %v ± %v", i, mean, half)
	}
}

// Parts add up to the whole, and what cannot be cut says so.
func (y year) checkParts() {
	y.t.Helper()
	q := measure.KPIQuery{From: yearStart, To: yearStart.Add(300 * day)}
	numerators := func(q measure.KPIQuery) map[string]measure.Reading {
		readings, err := y.KPIs(y.t.Context(), q)
		y.must(err)
		of := map[string]measure.Reading{}
		for _, r := range readings {
			of[r.KPI] = r
		}
		return of
	}
	whole, sum := numerators(q), map[string]float64{}
	for _, journey := range []string{"welcome", "winback", "cart", "loyalty", "alerts", "news"} {
		part := q
		part.Journey = journey
		of := numerators(part)
		for _, id := range []string{"rpmt", "conversion_rate", "email_open_rate", "guardrail_violation_rate", "sms_delivery_rate"} {
			sum[id] += of[id].Numerator
		}
		if r := of["rpmt_incremental"]; r.Status != measure.NotEnoughData || !strings.Contains(r.Why, "all customers") {
			y.t.Errorf("incremental RpMT of one journey: %+v", r)
		}
	}
	for id, got := range sum {
		if !near(got, whole[id].Numerator) {
			y.t.Errorf("%s: the journeys add up to %v, the whole is %v", id, got, whole[id].Numerator)
		}
	}
	q.Channel = "push"
	if r := numerators(q)["email_open_rate"]; r.Status != measure.NotEnoughData || r.Denominator != 0 {
		y.t.Errorf("opened e-mails among push messages: %+v", r)
	}
	short := measure.KPIQuery{From: yearStart, To: yearStart.Add(6 * time.Hour)}
	if r := numerators(short)["rpmt"]; r.Status != measure.NotEnoughData || !strings.Contains(r.Why, "of 1000 marketing touches needed") || r.Interval != (measure.Interval{}) {
		y.t.Errorf("a quarter of a day: %+v", r)
	}
}
