package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// Timeline tells everything that happened to a customer, oldest first: events,
// orders, runs, decisions, reviews, touches with every state, provider reports,
// consents and suppressions. What happened at one instant stays in the order in
// which it was recorded.
func (s *Store) Timeline(ctx context.Context, customer lifecycle.CustomerID) ([]ledger.Moment, error) {
	t := timeline{customer: string(customer)}
	err := s.snapshot(ctx, "read the timeline of customer "+string(customer), func(q *dbsqlc.Queries, _ pgx.Tx) error {
		for _, part := range []func(context.Context, *dbsqlc.Queries) error{
			t.profile, t.consents, t.suppressions, t.events, t.orders, t.runs, t.decisions, t.touches, t.outcomes, t.reviews} {
			if err := part(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.moments, func(a, b ledger.Moment) int { return a.At.Compare(b.At) })
	return t.moments, nil
}

type timeline struct {
	customer string
	moments  []ledger.Moment
	runIDs   []string
	touchIDs []string
}

func (t *timeline) add(at time.Time, kind, title, detail, ref string) {
	t.moments = append(t.moments, ledger.Moment{At: at.UTC(), Kind: kind, Title: title, Detail: detail, Ref: ref})
}

func (t *timeline) profile(ctx context.Context, q *dbsqlc.Queries) error {
	row, err := q.Customer(ctx, t.customer)
	if err != nil {
		return err
	}
	t.add(row.Customer.CreatedAt, "customer", "signed up", "external id "+row.Customer.ExternalID, row.Customer.ID)
	if row.Customer.ErasedAt != nil {
		t.add(*row.Customer.ErasedAt, "customer", "erased", "personal data removed", row.Customer.ID)
	}
	return nil
}

func (t *timeline) consents(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.ConsentRecordsOf(ctx, t.customer)
	for _, c := range rows {
		title := c.Subject + " " + nameOr(c.State, "as it comes")
		if _, err := lifecycle.ParseChannel(c.Subject); err == nil {
			title = c.Subject + " consent " + c.State
		}
		if c.Basis != "" && c.Basis != string(lifecycle.BasisExpress) {
			title += ", " + c.Basis
		}
		t.add(c.At, "consent", title, from(c.Source), "")
	}
	return err
}

func (t *timeline) suppressions(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.SuppressionsOf(ctx, t.customer)
	for _, p := range rows {
		t.add(p.At, "suppression", fmt.Sprintf("%s address suppressed: %s", p.Channel, p.Reason), from(p.Source), "")
	}
	return err
}

func (t *timeline) events(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.EventsOf(ctx, t.customer)
	for _, e := range rows {
		t.add(e.OccurredAt, "event", e.Name, from(e.Source), e.ID)
	}
	return err
}

func (t *timeline) orders(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.OrdersOf(ctx, t.customer)
	for _, o := range rows {
		title := "order of "
		if o.Total < 0 {
			title = "refund of "
		}
		details := []string{fmt.Sprintf("%d item", o.Items)}
		if o.Items != 1 {
			details[0] += "s"
		}
		if o.FirstItem != "" {
			details = append(details, o.FirstItem)
		}
		if o.Coupon != "" {
			details = append(details, "coupon "+o.Coupon)
		}
		t.add(o.At, "order", title+lifecycle.Money{Amount: o.Total, Currency: o.Currency}.String(), strings.Join(details, ", "), o.ExternalID)
	}
	return err
}

func (t *timeline) runs(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.RunsOf(ctx, t.customer)
	for _, r := range rows {
		t.runIDs = append(t.runIDs, r.ID)
		name := fmt.Sprintf("%s v%d", r.Journey, r.Version)
		detail := "arm " + r.Arm
		if r.Campaign != "" {
			detail += ", campaign " + r.Campaign
		}
		t.add(r.EnteredAt, "run", "entered "+name, detail, r.ID)
		if r.ConvertedAt != nil {
			t.add(*r.ConvertedAt, "run", "reached the goal of "+name, "", r.ID)
		}
		if r.EndedAt != nil {
			t.add(*r.EndedAt, "run", "left "+name, r.EndReason, r.ID)
		}
	}
	return err
}

func (t *timeline) decisions(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.DecisionsOf(ctx, t.customer)
	if err != nil {
		return err
	}
	for _, d := range rows {
		t.add(d.At, "decision", strings.TrimSpace(d.Kind+" "+d.Subject), explain(d.Body), fmt.Sprintf("decision %d", d.Seq))
	}
	return nil
}

// explain turns the body of a decision into a sentence: the reason, the agent's
// reasons and numbers, and the guardrails' findings, where it has them.
func explain(body string) string {
	var b struct {
		Reason   string             `json:"reason"`
		Decision lifecycle.Decision `json:"decision"`
		Verdict  lifecycle.Verdict  `json:"verdict"`
	}
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return body // another kind of record: shown as it is
	}
	var parts []string
	if b.Reason != "" {
		parts = append(parts, b.Reason)
	}
	if d := b.Decision; d.Agent != "" {
		chosen := "nothing"
		if c := d.Chosen.Candidate; !c.Nothing() {
			chosen = strings.TrimSpace(string(c.Channel) + " " + c.Slot + " " + c.OfferID)
		}
		parts = append(parts, fmt.Sprintf("%s %s chose %s, expected value %.2f against %d alternatives",
			d.Agent, d.Version, chosen, d.Chosen.ExpectedValue, len(d.Rejected)))
		parts = append(parts, d.Reasons...)
		if d.Evidence != "" {
			parts = append(parts, "evidence: "+d.Evidence)
		}
	}
	for _, f := range b.Verdict.Findings {
		parts = append(parts, fmt.Sprintf("%s says %s: %s (saw %s, limit %s)", f.Rule, f.Outcome, f.Reason, f.Value, f.Limit))
	}
	if len(parts) == 0 {
		return body
	}
	return strings.Join(parts, "; ")
}

func (t *timeline) touches(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.TouchesOf(ctx, t.customer)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, touch := range rows {
		t.touchIDs = append(t.touchIDs, touch.ID)
		names[touch.ID] = fmt.Sprintf("%s %s/%s", touch.Channel, touch.Journey, touch.Step)
	}
	history, err := q.HistoryOf(ctx, t.touchIDs)
	for _, h := range history {
		t.add(h.At, "touch", names[h.TouchID]+" "+h.State, h.Reason, h.TouchID)
	}
	return err
}

func (t *timeline) outcomes(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.OutcomesOf(ctx, t.touchIDs)
	for _, p := range rows {
		title := p.Kind
		if p.Machine {
			title += " by a machine"
		}
		t.add(p.At, "outcome", title, p.Detail, given[string](p.TouchID))
	}
	return err
}

func (t *timeline) reviews(ctx context.Context, q *dbsqlc.Queries) error {
	rows, err := q.ReviewsOf(ctx, t.runIDs)
	for _, r := range rows {
		t.add(r.OpenedAt, "review", "review of a "+r.Kind+" opened", "", r.ID)
		if r.EscalatedAt != nil {
			t.add(*r.EscalatedAt, "review", "review escalated", "", r.ID)
		}
		if r.DecidedAt != nil {
			t.add(*r.DecidedAt, "review", "review "+r.Status+" by "+nameOr(r.DecidedBy, "the engine"), r.Note, r.ID)
		}
	}
	return err
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return "from " + source
}
