package guardrails

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

func TestGoodTouchIsAllowedWithoutRemarks(t *testing.T) {
	t.Parallel()
	v := Judge(good(), DefaultPolicy(), brand.Example())
	if v.Outcome != lifecycle.Allow || len(v.Findings) != 0 || !v.Until.IsZero() {
		t.Errorf("%+v", v)
	}
	if v := JudgeContent(good(), DefaultPolicy(), brand.Example()); v.Outcome != lifecycle.Allow {
		t.Errorf("content: %+v", v)
	}
}

func TestStrictestWins(t *testing.T) {
	t.Parallel()
	touch := good()
	touch.RequireReview = true
	earlier(lifecycle.TouchAccepted, time.Hour)(&touch)
	v := Judge(touch, DefaultPolicy(), brand.Example())
	if v.Outcome != lifecycle.Review || len(v.Findings) != 2 || !v.Until.IsZero() {
		t.Errorf("review over defer: %+v", v)
	}
	touch.Exit = "goal reached"
	if v := Judge(touch, DefaultPolicy(), brand.Example()); v.Outcome != lifecycle.Block || v.Reason() != "exit: the journey is over for this customer: goal reached" {
		t.Errorf("block over review: %+v", v)
	}
}

func TestApprovalSettlesWhatAPersonWasAsked(t *testing.T) {
	t.Parallel()
	p, b := DefaultPolicy(), brand.Example()
	touch := good()
	touch.Message.Subject = "Re: your order"
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Review {
		t.Fatalf("a draft: %+v", v)
	}
	touch.Creative.Status = lifecycle.CreativeApproved
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Allow || len(v.Findings) != 1 {
		t.Errorf("an approved creative keeps the remark as a note: %+v", v)
	}
	touch.RequireReview = true
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Review {
		t.Errorf("an approved creative does not approve the touch: %+v", v)
	}
	touch.Approved = true
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Allow {
		t.Errorf("an approved touch: %+v", v)
	}
	mailSaying("Take 20% off")(&touch)
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Block {
		t.Errorf("no approval lifts a block: %+v", v)
	}
}

func TestContentJudgedSkipsOnlyWhatCannotChange(t *testing.T) {
	t.Parallel()
	p, b := DefaultPolicy(), brand.Example()
	touch := good()
	touch.ContentJudged = true
	touch.Message.Subject = "{{ name }}"
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Allow {
		t.Errorf("content was judged before: %+v", v)
	}
	offering("ten-percent", "10% off until October 28")(&touch)
	touch.At = touch.At.Add(24 * time.Hour) // the offer would now end on the 29th
	if v := Judge(touch, p, b); v.Outcome != lifecycle.Block || v.Findings[0].Rule != "claims" {
		t.Errorf("a deadline that moved: %+v", v)
	}
}

// A cap that frees at night, hours that open in the morning and a journey
// window in the afternoon must agree on one instant.
func TestDeferralsAgree(t *testing.T) {
	t.Parallel()
	p, b := DefaultPolicy().clone(), brand.Example()
	evenings(p)
	touch := good()
	touch.Window = everyDay(15, 17).on(time.Friday, 10, 11)
	touch.Recent = []lifecycle.TouchRecord{{Channel: lifecycle.Email, State: lifecycle.TouchAccepted, At: touch.At.Add(-13 * time.Hour)}} // frees at 05:00Z = 01:00 Thursday
	v := Judge(touch, p, b)
	want := time.Date(2026, 10, 15, 19, 0, 0, 0, time.UTC) // Thursday 15:00
	if v.Outcome != lifecycle.Defer || !v.Until.Equal(want) {
		t.Fatalf("%+v, want until %v", v, want)
	}
	touch.At = v.Until
	if again := Judge(touch, p, b); again.Outcome != lifecycle.Allow {
		t.Errorf("at the instant named: %+v", again)
	}
}

func TestWindowsThatNeverMeetBlock(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy().clone()
	evenings(p) // 09-21
	touch := good()
	touch.Window = everyDay(2, 4)
	v := Judge(touch, p, brand.Example())
	if v.Outcome != lifecycle.Block || !v.Until.IsZero() || v.Reason() == "" {
		t.Errorf("%+v", v)
	}
}

// Nobody knows where in the US the customer is: every zone from New York to
// Honolulu must be inside the strictest window.
func TestTextWithoutZoneWaitsForEveryZone(t *testing.T) {
	t.Parallel()
	touch := good()
	text("", "09:00")(&touch) // Wednesday in New York
	smsSaying("Larkspur: your chair is back. Reply STOP to opt out")(&touch)
	touch.Customer.Customer.TimeZone = ""
	v := Judge(touch, DefaultPolicy(), brand.Example())
	want := time.Date(2026, 10, 14, 20, 0, 0, 0, time.UTC) // 10:00 in Honolulu, 16:00 in New York
	if v.Outcome != lifecycle.Defer || !v.Until.Equal(want) {
		t.Errorf("%+v, want until %v", v, want)
	}
	touch.At = time.Date(2026, 10, 17, 20, 30, 0, 0, time.UTC) // Saturday 16:30 in New York: the last chance of the week
	if v := Judge(touch, DefaultPolicy(), brand.Example()); v.Outcome != lifecycle.Allow {
		t.Errorf("Saturday: %+v", v)
	}
	touch.At = touch.At.Add(time.Hour)
	want = time.Date(2026, 10, 19, 20, 0, 0, 0, time.UTC) // Monday
	if v := Judge(touch, DefaultPolicy(), brand.Example()); !v.Until.Equal(want) {
		t.Errorf("after Saturday: %+v, want until %v", v, want)
	}
}

// Findings are kept and shown: no token and no mailbox may stand in them.
func TestFindingsNameNobody(t *testing.T) {
	t.Parallel()
	touch := good()
	touch.Message.UnsubscribeURL = "http://shop.example/u/secrettoken"
	mailSaying(`<a href="https://evil.example/u/secrettoken?to=ada">x</a> <a href="mailto:ada.private@evil.example">y</a>`)(&touch)
	v := Judge(touch, DefaultPolicy(), brand.Example())
	text := fmt.Sprintf("%+v", v)
	if v.Outcome != lifecycle.Block || strings.Contains(text, "secrettoken") || strings.Contains(text, "ada") {
		t.Errorf("%s", text)
	}
}

// Whatever defers, the instant Judge names is allowed by all timed rules.
func TestDeferredTouchIsAllowedAtUntil(t *testing.T) {
	t.Parallel()
	b := brand.Example()
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultPolicy().clone()
		from := rapid.IntRange(0, 20).Draw(t, "from")
		p.Hours = map[lifecycle.Channel]Hours{lifecycle.Email: everyDay(from, rapid.IntRange(from+1, 24).Draw(t, "to"))}
		p.Caps[1].Calendar = rapid.SampledFrom([]string{"", "day", "week", "month"}).Draw(t, "calendar")
		touch := good()
		touch.At = instantIn(t)
		touch.Message, touch.Channel = lifecycle.Message{}, lifecycle.Email
		touch.ContentJudged = true
		touch.Customer.Customer.TimeZone = rapid.SampledFrom(append(testZones, "")).Draw(t, "zone")
		touch.Customer.Consents[lifecycle.Email] = lifecycle.Consent{State: lifecycle.ConsentGranted, At: touch.At}
		if rapid.Bool().Draw(t, "windowed") {
			touch.Window = everyDay(8, 22).on(time.Sunday, 0, 0)
		}
		for range rapid.IntRange(0, 8).Draw(t, "touches") {
			touch.Recent = append(touch.Recent, lifecycle.TouchRecord{
				Channel: lifecycle.Email, State: lifecycle.TouchDelivered,
				At: touch.At.Add(-time.Duration(rapid.Int64Range(0, int64(10*24*time.Hour)).Draw(t, "age"))),
			})
		}
		v := Judge(touch, p, b)
		if v.Outcome == lifecycle.Block {
			return // the drawn windows never meet
		}
		if v.Outcome == lifecycle.Defer {
			if !v.Until.After(touch.At) {
				t.Fatalf("until %v at %v", v.Until, touch.At)
			}
			touch.At = v.Until
			v = Judge(touch, p, b)
		}
		if v.Outcome != lifecycle.Allow {
			t.Fatalf("at %v: %+v", touch.At, v)
		}
	})
}
