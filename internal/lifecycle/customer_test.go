package lifecycle_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/lifecycle"
)

const day = 24 * time.Hour

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestStage(t *testing.T) {
	t.Parallel()
	thresholds := lifecycle.DefaultStageThresholds()
	for _, c := range []struct {
		orders int
		idle   time.Duration
		want   lifecycle.Stage
	}{
		{0, 0, lifecycle.Prospect},
		{1, day, lifecycle.New},
		{2, day, lifecycle.Active},
		{4, day, lifecycle.Loyal},
		{4, 45 * day, lifecycle.Loyal},
		{4, 45*day + time.Microsecond, lifecycle.AtRisk},
		{1, 90 * day, lifecycle.AtRisk},
		{1, 90*day + time.Microsecond, lifecycle.Lapsed},
	} {
		p := lifecycle.Profile{Orders: lifecycle.OrderStats{Count: c.orders, LastAt: now.Add(-c.idle)}}
		if got := p.Stage(now, thresholds); got != c.want {
			t.Errorf("%d orders, the last %v ago: %s, want %s", c.orders, c.idle, got, c.want)
		}
	}
}

func TestEngagementScoreFallsWithTimeAndStaysInRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := lifecycle.Engagement{Weight: rapid.Float64Range(0, 1e6).Draw(t, "weight"), At: now}
		age := time.Duration(rapid.Int64Range(0, int64(3000*day)).Draw(t, "age"))
		early, late := e.Score(now.Add(age)), e.Score(now.Add(age+day))
		if early < 0 || early > 1 || late > early {
			t.Fatalf("score %v after %v, %v a day later", early, age, late)
		}
	})
	half := lifecycle.Engagement{Weight: 2, At: now}.Score(now.Add(lifecycle.EngagementHalfLife))
	if one := (lifecycle.Engagement{Weight: 1, At: now}).Score(now); half != one {
		t.Errorf("weight 2 after a half-life scores %v, weight 1 scores %v", half, one)
	}
}

func TestContentHashCoversWhatWasApproved(t *testing.T) {
	t.Parallel()
	base := lifecycle.Creative{Slot: "s", Channel: lifecycle.Email, OfferID: "o", Parts: lifecycle.Parts{Subject: "a", Text: "b"}}
	for name, change := range map[string]func(*lifecycle.Creative){
		"slot":    func(c *lifecycle.Creative) { c.Slot = "t" },
		"channel": func(c *lifecycle.Creative) { c.Channel = lifecycle.SMS },
		"offer":   func(c *lifecycle.Creative) { c.OfferID = "" },
		"subject": func(c *lifecycle.Creative) { c.Parts.Subject = "A" },
		"text":    func(c *lifecycle.Creative) { c.Parts.Text = "b " },
	} {
		changed := base
		change(&changed)
		if changed.ContentHash() == base.ContentHash() {
			t.Errorf("a changed %s keeps the hash", name)
		}
	}
	renamed := base
	renamed.Variant, renamed.Author, renamed.Status = "z", "jane", lifecycle.CreativeApproved
	if renamed.ContentHash() != base.ContentHash() {
		t.Error("what is not content changes the hash")
	}
}

func TestOfferCost(t *testing.T) {
	t.Parallel()
	usd := func(n int64) lifecycle.Money { return lifecycle.Money{Amount: n, Currency: "USD"} }
	for _, c := range []struct {
		offer lifecycle.Offer
		order int64
		want  int64
	}{
		{lifecycle.Offer{Kind: lifecycle.PercentOff, Percent: 15}, 999, 149},
		{lifecycle.Offer{Kind: lifecycle.AmountOff, Amount: usd(500)}, 2000, 500},
		{lifecycle.Offer{Kind: lifecycle.AmountOff, Amount: usd(500)}, 300, 300},
		{lifecycle.Offer{Kind: lifecycle.FreeShipping, Amount: usd(490)}, 2000, 490},
		{lifecycle.Offer{Kind: lifecycle.FreeShipping, Amount: usd(490)}, -10, 0},
	} {
		if got := c.offer.Cost(usd(c.order)); got != usd(c.want) {
			t.Errorf("%+v on %d costs %v, want %d", c.offer, c.order, got, c.want)
		}
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := fmt.Errorf("outer: %w", lifecycle.Errorf(lifecycle.Conflict, "said: %w", cause))
	if lifecycle.CodeOf(err) != lifecycle.Conflict || !errors.Is(err, cause) || err.Error() != "outer: said: cause" {
		t.Errorf("%v has code %s", err, lifecycle.CodeOf(err))
	}
	if lifecycle.CodeOf(nil) != "" || lifecycle.CodeOf(cause) != lifecycle.Internal {
		t.Error("nil has no code, an unclassified error is internal")
	}
}
