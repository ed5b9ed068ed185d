package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/measure"
	"touchstone/internal/postgres/dbsqlc"
)

// Figures sums up one period for a report, all from one snapshot: however long
// it takes and whatever is being sent meanwhile, the sums fit together. The
// database adds up; no row of a customer, order or touch is fetched.
func (s *Store) Figures(ctx context.Context, in measure.Query) (measure.Figures, error) {
	var f measure.Figures
	err := s.snapshot(ctx, "sum up a period", func(q *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort+"; "+noLoops); err != nil {
			return err
		}
		r := figures{q: q, in: in, since: instant(in.From), until: instant(in.To), f: &f}
		for _, read := range []func(context.Context) error{
			r.totals, r.touches, r.notSent, r.cells, r.programme, r.trials, r.rules, r.responses, r.withdrawals, r.reviews, r.copy,
		} {
			if err := read(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return measure.Figures{}, err
	}
	return f, nil
}

// roomToSort keeps the sorts of a report in memory; it holds until the end of
// the transaction.
const roomToSort = "set local work_mem = '64MB'"

// figures reads the parts of measure.Figures in one transaction.
type figures struct {
	q            *dbsqlc.Queries
	in           measure.Query
	since, until time.Time
	f            *measure.Figures
}

func (r *figures) totals(ctx context.Context) error {
	row, err := r.q.ReportTotals(ctx, dbsqlc.ReportTotalsParams{Since: r.since, Until: r.until, Currency: r.in.Currency})
	if err != nil {
		return err
	}
	r.f.Customers, r.f.Entered = int(row.Customers), int(row.Entered)
	r.f.Orders, r.f.Refunds, r.f.Revenue, r.f.OtherOrders = int(row.Orders), int(row.Refunds), row.Revenue, int(row.OtherOrders)
	return nil
}

func (r *figures) touches(ctx context.Context) error {
	rows, err := r.q.ReportTouches(ctx, dbsqlc.ReportTouchesParams{Since: r.since, Until: r.until})
	for _, row := range rows {
		r.f.Touches = append(r.f.Touches, measure.TouchCount{Channel: lifecycle.Channel(row.Channel),
			Class: lifecycle.MessageClass(row.Class), State: lifecycle.TouchState(row.State), Count: int(row.N)})
	}
	return err
}

func (r *figures) notSent(ctx context.Context) error {
	rows, err := r.q.ReportNotSent(ctx, dbsqlc.ReportNotSentParams{Since: r.since, Until: r.until})
	for _, row := range rows {
		r.f.NotSent = append(r.f.NotSent, measure.NotSent{State: lifecycle.TouchState(row.State), Reason: row.Reason, Count: int(row.N)})
	}
	return err
}

func (r *figures) cells(ctx context.Context) error {
	sent, err := r.q.ReportSent(ctx, dbsqlc.ReportSentParams{Since: r.since, Until: r.until, Currency: r.in.Currency})
	if err != nil {
		return err
	}
	for _, row := range sent {
		r.f.Cells = append(r.f.Cells, measure.Cell{Journey: row.Journey, Campaign: row.Campaign, Agent: row.Agent,
			Channel: row.Channel, Offer: row.OfferID, Week: int(row.Week), Credit: measure.Credit{Touches: int(row.Touches),
				Cost: row.Cost, Opened: int(row.Opened), Clicked: int(row.Clicked)}})
	}
	credits, err := r.q.ReportCredits(ctx, dbsqlc.ReportCreditsParams{Since: r.since, Until: r.until, Currency: r.in.Currency,
		Attribution: interval(r.in.Attribution)})
	for _, row := range credits {
		r.f.Cells = append(r.f.Cells, measure.Cell{Journey: row.Journey, Campaign: row.Campaign, Agent: row.Agent,
			Channel: row.Channel, Offer: row.OfferID, Week: int(row.Week),
			Credit: measure.Credit{Orders: int(row.Orders), Revenue: row.Revenue}})
	}
	return err
}

func (r *figures) programme(ctx context.Context) error {
	rows, err := r.q.ReportProgramme(ctx, dbsqlc.ReportProgrammeParams{Since: r.since, Until: r.until, Currency: r.in.Currency})
	for _, row := range rows {
		arm := armOf(row.Customers, row.Converted, row.Touches, row.Revenue, row.RevenueSquares)
		if row.Held {
			r.f.Programme.Held = arm
		} else {
			r.f.Programme.Treated = arm
		}
	}
	return err
}

func (r *figures) trials(ctx context.Context) error {
	runs, err := r.q.ReportRuns(ctx, dbsqlc.ReportRunsParams{Since: r.since, Until: r.until})
	if err != nil {
		return err
	}
	type key struct{ scope, name string }
	at := map[key]int{}
	trial := func(scope, name string) *measure.Trial {
		i, known := at[key{scope, name}]
		if !known {
			i = len(r.f.Trials)
			at[key{scope, name}] = i
			r.f.Trials = append(r.f.Trials, measure.Trial{Scope: measure.Scope(scope), Name: name,
				Runs: map[ledger.Arm]int{}, Arms: map[ledger.Arm]measure.Arm{}})
		}
		return &r.f.Trials[i]
	}
	for _, row := range runs {
		t := trial(row.Scope, row.Name)
		t.Journey, t.Runs[ledger.Arm(row.Arm)] = row.Journey, int(row.Runs)
	}
	for _, scope := range []measure.Scope{measure.JourneyTrial, measure.CampaignTrial} {
		cuts, err := readCuts(ctx, r.q, measure.CutQuery{From: r.in.From, To: r.in.To, Scope: scope, Currency: r.in.Currency,
			Window: r.in.Window, Windows: r.in.Windows}, lifecycle.StageThresholds{})
		if err != nil {
			return err
		}
		for _, c := range cuts {
			t := trial(string(scope), c.Name)
			t.Open, t.Arms = c.Open, c.Arms
		}
	}
	return nil
}

func armOf(customers, converted, touches int32, revenue, squares float64) measure.Arm {
	return measure.Arm{Revenue: measure.Sample{N: int(customers), Sum: revenue, SumSquares: squares},
		Converted: int(converted), Touches: int(touches)}
}

func (r *figures) rules(ctx context.Context) error {
	rows, err := r.q.ReportRules(ctx, dbsqlc.ReportRulesParams{Since: r.since, Until: r.until})
	for _, row := range rows {
		r.f.Rules = append(r.f.Rules, measure.RuleCount{Rule: row.Rule, Outcome: lifecycle.Outcome(row.Outcome),
			Findings: int(row.Findings), Touches: int(row.Touches)})
	}
	return err
}

func (r *figures) responses(ctx context.Context) error {
	row, err := r.q.ReportResponses(ctx, dbsqlc.ReportResponsesParams{Since: r.since, Until: r.until})
	r.f.Responses = measure.Responses{Opened: int(row.Opened), Clicked: int(row.Clicked),
		MachineOpened: int(row.MachineOpened), MachineClicked: int(row.MachineClicked)}
	return err
}

func (r *figures) withdrawals(ctx context.Context) error {
	rows, err := r.q.ReportWithdrawals(ctx, dbsqlc.ReportWithdrawalsParams{Since: r.since, Until: r.until})
	for _, row := range rows {
		r.f.Withdrawals = append(r.f.Withdrawals, measure.Withdrawal{Channel: lifecycle.Channel(row.Channel), Source: row.Source, Count: int(row.N)})
	}
	return err
}

func (r *figures) reviews(ctx context.Context) error {
	since, until := instant(r.in.RealFrom), instant(r.in.RealTo)
	rows, err := r.q.ReportReviews(ctx, dbsqlc.ReportReviewsParams{Since: since, Until: until})
	if err != nil {
		return err
	}
	for _, row := range rows {
		r.f.Reviews = append(r.f.Reviews, measure.ReviewCount{Kind: lifecycle.ReviewKind(row.Kind),
			Status: lifecycle.ReviewStatus(row.Status), DecidedBy: row.DecidedBy, Count: int(row.N), InTime: int(row.InTime)})
	}
	times, err := r.q.ReportReviewTimes(ctx, dbsqlc.ReportReviewTimesParams{Since: since, Until: until})
	if err != nil {
		return err
	}
	seconds := func(v float64) time.Duration { return time.Duration(v * float64(time.Second)).Round(time.Microsecond) }
	r.f.ReviewTimes = measure.ReviewTimes{Decided: int(times.N), Median: seconds(times.Median), P95: seconds(times.P95)}
	return nil
}

func (r *figures) copy(ctx context.Context) error {
	rows, err := r.q.ReportCopy(ctx, dbsqlc.ReportCopyParams{Since: r.since, Until: r.until})
	for _, row := range rows {
		r.f.Copy = append(r.f.Copy, measure.CopyCount{Source: lifecycle.CreativeSource(row.Source),
			Status: lifecycle.CreativeStatus(row.Status), Count: int(row.N), Cost: row.Cost, Currency: row.Currency})
	}
	return err
}
