package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"touchstone/internal/lifecycle"
)

// beat is how often the progress line is renewed, in real time.
const beat = time.Second

// progress shows how the season goes until it is over or something fails.
func (d *demo) progress(ctx context.Context, failed <-chan error) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for last := -1; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-ticker.C:
		}
		now := d.box().Clock.Now()
		line, err := d.pulse(ctx, now)
		if err != nil {
			// The engines may be busy or restarting; the season goes on.
			if lifecycle.CodeOf(err) == lifecycle.Unavailable || errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			return err
		}
		week := int(now.Sub(d.start)/(7*24*time.Hour)) + 1
		switch {
		case d.Terminal:
			fmt.Fprintf(d.Out, "\r\x1b[K%s", line)
		case week != last && !now.Before(d.start):
			d.say("%s", line)
			last = week
		}
		if !now.Before(d.end) {
			if d.Terminal {
				d.say("")
			}
			return d.settle(ctx)
		}
	}
}

// pulse is one line about the season: where it is, what went out, what waits.
func (d *demo) pulse(ctx context.Context, now time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	p, err := d.box().Store.Pulse(ctx)
	if err != nil {
		return "", err
	}
	if now.Before(d.start) {
		return fmt.Sprintf("before the season   %2d reviews waiting   starts in %s", p.Awaiting, time.Until(d.box().Clock.Scale.RealAt(d.start)).Round(time.Second)), nil
	}
	revenue, err := d.box().Store.AttributedRevenue(ctx, d.start, d.box().Config.AttributionWindow)
	if err != nil {
		return "", err
	}
	rpmt := "-"
	if p.Sent > 0 {
		rpmt = lifecycle.Money{Amount: revenue / int64(p.Sent), Currency: d.Box.Brand.Currency}.String()
	}
	return fmt.Sprintf("week %2d of %d   %6d touches   RpMT %s attributed   %4d blocked   %3d deferred   %2d reviews waiting   %4d on a journey",
		int(now.Sub(d.start)/(7*24*time.Hour))+1, d.Weeks, p.Sent, rpmt, p.Blocked, p.Deferred, p.Awaiting, p.Running), nil
}

// settle gives the last events time to arrive.
func (d *demo) settle(ctx context.Context) error {
	for range 10 {
		p, err := d.box().Store.Pulse(ctx)
		if err != nil {
			return err
		}
		if p.Outbox == 0 && d.population.Activity().Waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}
