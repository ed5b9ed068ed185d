package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

const broadcastName = "bench-broadcast"

var oneTouch = []byte(`journey: bench-broadcast
title: One message to everybody
agent: campaign
class: marketing
tags: [newsletter]
holdout: 0%
entry: {segment: 'consent.email == "granted" && orders.count >= 1', every: 1d}
reentry: never
exit:
  - when: consent.email != "granted"
window: {from: "09:00", to: "20:00"}
fallback: template
steps:
  - id: edit
    touch: {channels: [email], offers: [none], brief: Show what is new.}
`)

// broadcast measures a campaign to everybody against a bare loop over the same
// client and sandbox with as many calls in flight.
func (r *run) broadcast(ctx context.Context) (err error) {
	r.say("broadcast: a campaign to %d customers", r.Customers)
	r.Box.Config.GlobalHoldout = 0
	s, err := r.open(ctx, r.Customers, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	def, err := s.plane.ParseJourney(broadcastName, oneTouch)
	if err != nil {
		return err
	}
	if err := s.approve(ctx, def); err != nil {
		return err
	}
	if _, err := s.plane.StoreJourney(ctx, broadcastName+".yaml", oneTouch, "bench"); err != nil {
		return err
	}
	before, spentBefore, err := s.bareLoop(ctx, min(r.Customers, 30_000))
	if err != nil {
		return err
	}
	ours, spent, err := s.campaign(ctx)
	if err != nil {
		return err
	}
	after, spentAfter, err := s.bareLoop(ctx, min(r.Customers, 30_000))
	if err != nil {
		return err
	}
	bare := median([]float64{before, after})
	r.say("  campaign %.0f touches/s, bare loop %.0f and %.0f/s", ours, before, after)
	r.target(Line{Part: "broadcast", What: "touches of a campaign, guarded and in the ledger", Unit: "1/s", Ours: ours, Baseline: bare, Against: "bare loop over the client"},
		"at least 0.33", func(l Line) bool { return l.Ratio >= 1.0/3 })
	each := func(of func(used) time.Duration) float64 { return milliseconds(of(spent)) / float64(r.Customers) }
	r.add(Line{Part: "broadcast", What: "CPU per touch, all processes", Unit: "ms", Ours: each(used.all), Baseline: median([]float64{spentBefore, spentAfter}), Against: "bare loop over the client"})
	r.add(Line{Part: "broadcast", What: "  of it Temporal server", Unit: "ms", Ours: each(func(u used) time.Duration { return u.temporal })})
	r.add(Line{Part: "broadcast", What: "  of it PostgreSQL", Unit: "ms", Ours: each(func(u used) time.Duration { return u.postgres })})
	r.add(Line{Part: "broadcast", What: "  of it worker and sandbox", Unit: "ms", Ours: each(func(u used) time.Duration { return u.process })})
	return s.verify(ctx)
}

// bareLoop sends n messages through the client and nothing else. It returns
// messages per second and processor milliseconds per message.
func (s *stage) bareLoop(ctx context.Context, n int) (perSecond, each float64, err error) {
	client, err := s.bare()
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	message, err := s.message(ctx)
	if err != nil {
		return 0, 0, err
	}
	before, err := processorTime(s.box.Stack)
	if err != nil {
		return 0, 0, err
	}
	var next atomic.Int64
	began := time.Now()
	group, sending := errgroup.WithContext(ctx)
	for range s.box.Config.SendGrid.InFlight {
		group.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				m := message
				m.To, m.TouchID = fmt.Sprintf("b%d@example.com", i), lifecycle.TouchID(uuid.NewString())
				if _, err := client.Send(sending, m); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	perSecond = float64(n) / time.Since(began).Seconds()
	after, err := processorTime(s.box.Stack)
	return perSecond, milliseconds(after.since(before).process) / float64(n), err
}

// message is of the size of the campaign's.
func (s *stage) message(ctx context.Context) (lifecycle.Message, error) {
	creatives, err := s.box.Store.Creatives(ctx, []string{broadcastName + "/edit"})
	if err != nil {
		return lifecycle.Message{}, err
	}
	parts, sender := creatives[0].Parts, s.Box.Brand.Sender
	return lifecycle.Message{
		Channel: lifecycle.Email, Class: lifecycle.Marketing, From: sender.Email, FromName: sender.Name, ReplyTo: sender.ReplyTo,
		Subject: "What is new", Preheader: parts.Preheader, HTML: parts.HTML, Text: parts.Text,
		UnsubscribeURL: s.box.Config.Gateway.PublicURL + "/u/" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Categories: []string{broadcastName},
	}, nil
}

// campaign sends to everybody and measures from the first accepted message to
// the last.
func (s *stage) campaign(ctx context.Context) (perSecond float64, spent used, err error) {
	already := s.box.Sandbox.Accepted()
	before, err := processorTime(s.box.Stack)
	if err != nil {
		return 0, spent, err
	}
	if _, err := s.plane.StartCampaign(ctx, control.Campaign{Name: broadcastName, Journey: broadcastName, Ramp: 1, Holdout: 0, By: "bench"}); err != nil {
		return 0, spent, err
	}
	var began time.Time
	looked, sent := time.Now(), 0
	for sent < s.Customers {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return 0, spent, err
		}
		now := s.box.Sandbox.Accepted() - already
		switch {
		case now > sent:
			looked = time.Now()
			if began.IsZero() {
				began = looked
			}
			sent = now
		case time.Since(looked) > time.Minute:
			state, err := s.plane.CampaignProgress(ctx, broadcastName)
			left, leftErr := s.left(ctx)
			return 0, spent, errors.Join(err, leftErr, fmt.Errorf("the campaign stands still at %d of %d: %+v\n%s", sent, s.Customers, state, left))
		}
	}
	took := time.Since(began)
	if err := s.finished(ctx); err != nil {
		return 0, spent, err
	}
	after, err := processorTime(s.box.Stack)
	return float64(sent) / took.Seconds(), after.since(before), err
}

// left says what became of the touches that were not accepted.
func (s *stage) left(ctx context.Context) (text string, err error) {
	err = onConnection(ctx, s.box.Stack.DatabaseURL, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `select state, reason, count(*) from touches where state <> 'accepted' group by 1, 2 order by 3 desc limit 20`)
		if err != nil {
			return err
		}
		var state, reason string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&state, &reason, &n}, func() error {
			text += fmt.Sprintf("%d are %s: %s\n", n, state, reason)
			return nil
		})
		return err
	})
	return text, err
}

// finished waits until the campaign has settled its last page.
func (s *stage) finished(ctx context.Context) error {
	for range 600 {
		row, err := s.box.Store.Campaign(ctx, broadcastName)
		if err != nil || row.Status == workflows.StatusDone {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the campaign has sent everything and does not end")
}

// verify proves that speed was not bought with the ledger's promises.
func (s *stage) verify(ctx context.Context) error {
	proof, err := s.box.Store.VerifyLedger(ctx)
	if err != nil {
		return err
	}
	chain, err := s.box.Store.VerifyDecisions(ctx)
	if err != nil {
		return err
	}
	if !proof.OK || !chain.OK || len(s.box.Sandbox.Duplicates()) > 0 || proof.ByState[lifecycle.TouchAccepted] != s.Customers {
		return fmt.Errorf("the broadcast broke the ledger: %+v, %+v, sent twice: %d", proof, chain, len(s.box.Sandbox.Duplicates()))
	}
	s.say("  ledger verify and audit verify: ok, %d touches, %d decisions", proof.Touches, chain.Entries)
	return nil
}
