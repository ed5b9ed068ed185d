package postgres

import (
	"context"
	"encoding/json"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// recentTouches is how far back a situation shows earlier touches: longer than
// any frequency cap's window.
const recentTouches = 35 * 24 * time.Hour

// Situations returns the runs with everything a decision about them may depend
// on, in the order given, all as of one instant of the database. Converted means
// an order after the run's last sent touch, or after its entry when none was
// sent. A run that does not exist is NotFound.
func (s *Store) Situations(ctx context.Context, runs []lifecycle.RunID, now time.Time) ([]ledger.Situation, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	rows, err := s.q.Situations(ctx, dbsqlc.SituationsParams{Recent: instant(now.Add(-recentTouches)), Ids: texts(runs)})
	if err != nil {
		return nil, translate(err, "read situations")
	}
	if len(rows) != len(runs) {
		return nil, lifecycle.Errorf(lifecycle.NotFound, "%d of %d runs do not exist", len(runs)-len(rows), len(runs))
	}
	situations := make([]ledger.Situation, len(rows))
	for i, row := range rows {
		if situations[i], err = situationOf(row); err != nil {
			return nil, err
		}
	}
	return situations, nil
}

// suppressionRow, recentRow and eventRow are the members of the JSON arrays that
// the Situations query builds.
type suppressionRow struct {
	Channel string    `json:"channel"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

type recentRow struct {
	ID          string     `json:"id"`
	Channel     string     `json:"channel"`
	Class       string     `json:"class"`
	Tags        []string   `json:"tags"`
	Slot        string     `json:"slot"`
	ContentHash string     `json:"content_hash"`
	OfferID     string     `json:"offer_id"`
	State       string     `json:"state"`
	ReservedAt  time.Time  `json:"reserved_at"`
	SentAt      *time.Time `json:"sent_at"`
}

func situationOf(row dbsqlc.SituationsRow) (ledger.Situation, error) {
	var out ledger.Situation
	var err error
	if out.Run, err = runOf(row.JourneyRun); err != nil {
		return out, err
	}
	if out.Profile, err = profileOf(row.Customer, row.CustomerStat, row.Consents, row.Wishes, row.Cart, row.Affinities); err != nil {
		return out, err
	}
	out.Converted = row.Converted
	var suppressed []suppressionRow
	var recent []recentRow
	var events []dbsqlc.Event
	var touch *dbsqlc.Touch
	for _, part := range []struct {
		from json.RawMessage
		into any
	}{{row.Suppressed, &suppressed}, {row.Recent, &recent}, {row.Events, &events}, {row.Touch, &touch}} {
		if len(part.from) == 0 {
			continue
		}
		if err := json.Unmarshal(part.from, part.into); err != nil {
			return out, lifecycle.Errorf(lifecycle.Internal, "decode a situation: %w", err)
		}
	}
	for _, p := range suppressed {
		out.Suppressed = append(out.Suppressed, ledger.Suppression{Channel: lifecycle.Channel(p.Channel), Reason: p.Reason, At: p.At.UTC()})
	}
	for _, t := range recent {
		at := t.ReservedAt
		if t.SentAt != nil {
			at = *t.SentAt
		}
		out.Recent = append(out.Recent, lifecycle.TouchRecord{ID: lifecycle.TouchID(t.ID), Channel: lifecycle.Channel(t.Channel),
			Class: lifecycle.MessageClass(t.Class), Tags: t.Tags, Slot: t.Slot, Content: t.ContentHash, OfferID: t.OfferID,
			At: at.UTC(), State: lifecycle.TouchState(t.State)})
	}
	for _, e := range events {
		event, err := eventOf(e)
		if err != nil {
			return out, err
		}
		out.Events = append(out.Events, event)
	}
	if touch != nil {
		t := touchOf(*touch)
		out.Touch = &t
	}
	return out, nil
}

func profileOf(c dbsqlc.Customer, st dbsqlc.CustomerStat, consents, wishes, cart, affinities json.RawMessage) (lifecycle.Profile, error) {
	p := lifecycle.Profile{
		Orders: lifecycle.OrderStats{Count: int(st.OrdersCount), Revenue: lifecycle.Money{Amount: st.Revenue, Currency: st.Currency},
			FirstAt: moment(st.FirstOrderAt), LastAt: moment(st.LastOrderAt), LastItem: st.LastItem},
		Engagement: lifecycle.Engagement{Weight: st.EngagementWeight, At: moment(st.EngagementAt),
			LastOpenAt: moment(st.LastOpenAt), LastClickAt: moment(st.LastClickAt)},
		Touches: lifecycle.TouchStats{Count: int(st.TouchesCount), LastAt: moment(st.LastTouchAt)},
	}
	var err error
	if p.Customer, err = customerOf(c); err != nil {
		return p, err
	}
	var rows []dbsqlc.Consent
	if err := json.Unmarshal(consents, &rows); err != nil {
		return p, lifecycle.Errorf(lifecycle.Internal, "decode consents: %w", err)
	}
	var k *dbsqlc.Cart
	if len(cart) > 0 {
		if err := json.Unmarshal(cart, &k); err != nil {
			return p, lifecycle.Errorf(lifecycle.Internal, "decode a cart: %w", err)
		}
	}
	if k != nil {
		p.Cart = lifecycle.Cart{Items: int(k.Items), Value: k.Value, ChangedAt: k.ChangedAt.UTC()}
	}
	if err := json.Unmarshal(affinities, &p.Affinities); err != nil {
		return p, lifecycle.Errorf(lifecycle.Internal, "decode affinities: %w", err)
	}
	p.Consents = make(map[lifecycle.Channel]lifecycle.Consent, len(rows))
	for _, row := range rows {
		consent := consentOf(row)
		p.Consents[consent.Channel] = consent
	}
	if len(wishes) > 0 {
		var w dbsqlc.Wish
		if err := json.Unmarshal(wishes, &w); err != nil {
			return p, lifecycle.Errorf(lifecycle.Internal, "decode wishes: %w", err)
		}
		p.Wishes = lifecycle.Wishes{Left: w.LeftTopics, Frequency: lifecycle.Frequency(w.Frequency)}
	}
	return p, nil
}
