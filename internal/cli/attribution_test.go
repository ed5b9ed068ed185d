package cli_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/brand"
	"touchstone/internal/experiment"
	"touchstone/internal/report"
)

// spring brings a month of customers, touches on two channels, holdouts and
// orders in through the importer.
func spring(t *testing.T) terminal {
	t.Helper()
	tm := setup(t)
	r := rand.New(rand.NewPCG(21, 21))
	start := time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)
	var touches, orders strings.Builder
	touches.WriteString("external_id,at,journey,campaign,arm,agent,channel,cost,opened_at\n")
	orders.WriteString("order_id,external_id,at,total,coupon\n")
	n := 0
	order := func(customer int, at time.Time, coupon string) {
		n++
		fmt.Fprintf(&orders, "o%d,c%d,%s,%.2f,%s\n", n, customer, at.Format(time.RFC3339), 40*math.Exp(0.5*r.NormFloat64()), coupon)
	}
	for i := range 2400 {
		entered := start.Add(time.Duration(r.IntN(10*24*60)) * time.Minute)
		journey := []string{"welcome", "winback"}[i%2]
		if i%5 == 0 {
			fmt.Fprintf(&touches, "c%d,%s,%s,,holdout,,,,\n", i, entered.Format(time.RFC3339), journey)
			if r.Float64() < 0.2 {
				order(i, entered.Add(50*time.Hour), "")
			}
			continue
		}
		for touch := range 1 + r.IntN(3) {
			at := entered.Add(time.Duration(touch) * 60 * time.Hour)
			channel, cost, opened := "email", "0.01", ""
			if r.IntN(3) == 0 {
				channel, cost = "sms", "0.03"
			} else if r.IntN(2) == 0 {
				opened = at.Add(2 * time.Hour).Format(time.RFC3339)
			}
			fmt.Fprintf(&touches, "c%d,%s,%s,,treated,shop,%s,%s,%s\n", i, at.Format(time.RFC3339), journey, channel, cost, opened)
			if r.Float64() < 0.12 {
				order(i, at.Add(time.Duration(1+r.IntN(48))*time.Hour), []string{"", "TAKE10", "shipfree"}[r.IntN(3)])
			}
		}
		if i%50 == 1 {
			order(i, entered.Add(-time.Hour), "") // before any touch
		}
	}
	for kind, text := range map[string]string{"touches": touches.String(), "orders": orders.String()} {
		tm.run("import", kind, tm.file(kind+".csv", text), "--strict").ok()
	}
	return tm
}

var inSpring = []string{"--from", "2025-03-03", "--to", "2025-04-14"}

// plainRpMT is attributed revenue per marketing touch by plain SQL: every order
// to the customer's last touch of the seven days before it.
const plainRpMT = `
select (select sum(o.total) from orders o where o.at >= $1 and o.at < $2 and o.currency = 'USD' and exists (
	select 1 from touches t where t.customer_id = o.customer_id and t.class = 'marketing' and t.sent_at < o.at
	and t.sent_at >= o.at - interval '7 days' and t.sent_at >= $1 and t.state in ('sending', 'accepted', 'unconfirmed', 'delivered', 'bounced', 'complained')))::float8 / 100
	/ (select count(*) from touches t where t.class = 'marketing' and t.sent_at >= $1 and t.sent_at < $2
	and t.state in ('sending', 'accepted', 'unconfirmed', 'delivered', 'bounced', 'complained'))`

// plainIncremental is the same per touch against the holdout, by plain SQL over
// customers: treated minus held out of one journey within 14 days of first entry.
const plainIncremental = `
with person as (
	select r.customer_id, r.arm, coalesce((select sum(o.total) from orders o where o.customer_id = r.customer_id
		and o.at > r.entered_at and o.at <= r.entered_at + interval '14 days'), 0) / 100.0 as spent,
	(select count(*) from touches t where t.customer_id = r.customer_id and t.journey = r.journey and t.sent_at <= r.entered_at + interval '14 days') as touches
	from (select distinct on (customer_id) * from journey_runs where journey = 'winback' order by customer_id, entered_at) r
)
select (avg(spent) filter (where arm = 'treated') - avg(spent) filter (where arm = 'holdout'))::float8
	* count(*) filter (where arm = 'treated') / sum(touches) filter (where arm = 'treated')::float8 from person`

func (tm terminal) sql(query string, args ...any) (v float64) {
	tm.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, tm.env["DATABASE_URL"])
	if err != nil {
		tm.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, query, args...).Scan(&v); err != nil {
		tm.t.Fatal(err)
	}
	return v
}

func TestRpMTIsThatOfPlainSQL(t *testing.T) {
	t.Parallel()
	tm := spring(t)
	from, to := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), time.Date(2025, 4, 14, 0, 0, 0, 0, time.UTC)
	want := tm.sql(plainRpMT, from, to)
	near := func(name string, got float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, plain SQL says %v", name, got, want)
		}
	}
	full := into[report.Report](tm.run(append([]string{"report", "--json"}, inSpring...)...))
	near("report", *full.RpMT.Attributed)
	all := into[report.Attribution](tm.run(append([]string{"attribution", "show", "--json", "--model", "all", "--by", "channel", "--resamples", "20"}, inSpring...)...))
	if len(all.Tables) != 6 {
		t.Fatalf("%d models", len(all.Tables))
	}
	for _, table := range all.Tables {
		near(string(table.Model), float64(table.Total.Revenue)/100/float64(table.Total.Touches))
		near(string(table.Model)+"'s interval", table.Total.PerTouch.Interval.Estimate)
	}
	want = tm.sql(plainIncremental)
	table := into[report.LiftTable](tm.run(append([]string{"lift", "show", "--json", "--window", "14d"}, inSpring...)...))
	near("incremental", table.Rows[1].Lift.PerTouch.Interval.Estimate)
}

func TestAttributionCommands(t *testing.T) {
	t.Parallel()
	tm := spring(t)
	show := func(args ...string) result { return tm.run(append(args, inSpring...)...).ok().narrow() }
	r := show("attribution", "show", "--model", "all")
	for _, model := range []string{"FIRST", "LAST", "LINEAR", "POSITION", "DECAY", "MARKOV"} {
		r.line(model)
	}
	r.line("CHANNEL", "TOUCHES", "ORDERS", "REVENUE", "RPMT", "95% INTERVAL").line("email").line("sms").line("total").line("Without any touch", "orders")
	show("attribution", "show", "--by", "week", "--model", "markov").line("a week cannot be removed")
	show("lift", "show", "--window", "14d").line("winback", "a gain").line("BUYERS", "POINTS")
	show("lift", "show", "--by", "week", "--journey", "winback", "--window", "14d").line("2025-03-03")
	show("lift", "show", "--by", "cohort", "--journey", "welcome", "--window", "14d").line("prospect")
	show("lift", "show", "--by", "channel").line("email", "not compared").line("not compared:", "chance")
	show("lift", "show", "--by", "campaign")
	show("roi", "show").line("messages").line("offers:", "orders").line("revenue per spend, all", "counted").line("ROI")
	if r := into[report.Return](tm.run(append([]string{"roi", "show", "--json"}, inSpring...)...)); r.Spend.Messages == 0 || r.Discount.Amount == 0 || r.Shipping.Amount == 0 {
		t.Errorf("%+v", r)
	}
	// E-mail that earns credit from being opened only has less of it.
	brandFile := tm.file("brand.yaml", strings.Replace(exampleBrand(t), "windows: {}", "windows: {email: {opened: 2d}}", 1))
	credited := func() int64 {
		a := into[report.Attribution](tm.run(append([]string{"attribution", "show", "--json", "--resamples", "0"}, inSpring...)...))
		return a.Tables[0].Lines[0].Revenue
	}
	before := credited()
	tm.env["TOUCHSTONE_BRAND"] = brandFile
	if after := credited(); after >= before || after == 0 {
		t.Errorf("e-mail earned %d from sending and %d from opening", before, after)
	}
}

func TestShapleyCommand(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("attribution", "shapley").exits(1).complains("no test of agents", "agent_test")
	store := tm.store()
	test := experiment.AgentTest{Name: "agents-1", Agents: []string{"campaign", "winback"}, Share: 0.5}
	if err := store.RunAgentTest(t.Context(), test, time.Now().Add(-90*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	tm.run("attribution", "shapley").ok().narrow().line("not enough data", "every agent off").line("only winback on", "0")
	if got := into[report.AgentShares](tm.run("attribution", "shapley", "--json")); got.Test != "agents-1" || len(got.Cells) != 4 || len(got.Contributions) != 2 {
		t.Errorf("%+v", got)
	}
	tm.run("attribution", "shapley", "--test", "agents-9").exits(1).complains("agents-9")
}

func TestAttributionBadInput(t *testing.T) {
	t.Parallel()
	tm := setup(t)
	tm.run("attribution", "show", "--model", "magic").exits(2).complains("unknown attribution model", "markov")
	tm.run("attribution", "show", "--by", "colour").exits(2).complains("colour", "channel")
	tm.run("attribution", "show", "--resamples", "-1").exits(2).complains("0 for no intervals")
	tm.run("attribution", "show", "--from", "2025-02-01", "--to", "2025-01-01").exits(2).complains("must begin before it ends")
	tm.run("attribution", "shapley", "--window", "soon").exits(2).complains("--window", "30d")
	tm.run("lift", "show", "--by", "colour").exits(2).complains("colour")
	tm.run("lift", "show", "--by", "week", "--journey", "a", "--campaign", "b").exits(2).complains("not both")
	tm.run("roi", "show", "--from", "yesterday").exits(2).complains("2026-03-02")
	// Nothing stored is no error.
	tm.run("attribution", "show", "--model", "all").ok().narrow().line("no order of the period followed a touch")
	tm.run("lift", "show").ok()
	tm.run("roi", "show").ok().narrow().line("not enough data")
}

func exampleBrand(t *testing.T) string {
	t.Helper()
	return string(brand.ExampleSource())
}
