package agents_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/agents"
	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var now = time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)

func usd(cents int64) lifecycle.Money { return lifecycle.Money{Amount: cents, Currency: "USD"} }

func testBrand() *brand.Brand {
	return &brand.Brand{
		Name: "Shop", Currency: "USD",
		Costs: brand.Costs{
			PerTouch: map[lifecycle.Channel]lifecycle.Money{lifecycle.Email: usd(1), lifecycle.SMS: usd(2)},
			Fatigue:  usd(5), Margin: 0.5,
		},
		Priors: brand.Priors{
			BaseRate: 0.02, Lift: map[lifecycle.Channel]float64{lifecycle.Email: 0.006, lifecycle.SMS: 0.004},
			OfferLift: 0.012, Strength: 200, OrderValue: usd(6000),
		},
	}
}

var (
	shipping = lifecycle.Offer{ID: "ship", Kind: lifecycle.FreeShipping, Amount: usd(400), Label: "free shipping"}
	ten      = lifecycle.Offer{ID: "ten", Kind: lifecycle.PercentOff, Percent: 10, Label: "10% off"}
	twenty   = lifecycle.Offer{ID: "twenty", Kind: lifecycle.PercentOff, Percent: 20, Label: "20% off"}
)

// situation allows e-mail and SMS, every offer and none, with one approved
// creative for each pair.
func situation() agents.Situation {
	s := agents.Situation{
		Now: now, Profile: lifecycle.Profile{Customer: lifecycle.Customer{ID: "c1"}}, Stage: lifecycle.Lapsed,
		Journey: "winback", Step: "first", Channels: []lifecycle.Channel{lifecycle.Email, lifecycle.SMS},
		Offers: []lifecycle.Offer{twenty, shipping, ten}, OfferNone: true, Brand: testBrand(),
	}
	for _, ch := range s.Channels {
		for _, o := range []string{"", "ship", "ten", "twenty"} {
			s.Creatives = append(s.Creatives, lifecycle.Creative{ID: lifecycle.CreativeID(string(ch) + "/" + o), Slot: "slot",
				Channel: ch, OfferID: o, Variant: "a", Status: lifecycle.CreativeApproved})
		}
	}
	return s
}

func agent(t interface{ Fatal(...any) }, name string) agents.Agent {
	a, err := agents.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var names = []string{"campaign", "winback"}

func TestByName(t *testing.T) {
	t.Parallel()
	for _, n := range names {
		if got := agent(t, n).Name(); got != n {
			t.Errorf("agent %q calls itself %q", n, got)
		}
	}
	if _, err := agents.ByName("oracle"); lifecycle.CodeOf(err) != lifecycle.Invalid {
		t.Errorf("unknown agent: %v", err)
	}
}

func TestValueByHand(t *testing.T) {
	t.Parallel()
	s := situation()
	s.Channels, s.Offers = []lifecycle.Channel{lifecycle.Email}, []lifecycle.Offer{ten}
	d := agent(t, "campaign").Decide(s)
	// Order 60.00, margin 30.00. Ten percent: lift .006+.012 = .018, worth .54,
	// cost (.02+.018) × 6.00 = .228, message .01: .302. No offer: .18-.01 = .17.
	c := d.Chosen
	if c.Candidate.OfferID != "ten" || math.Abs(c.ExpectedValue-30.2) > 1e-9 || math.Abs(c.OfferCost-22.8) > 1e-9 || math.Abs(c.Lift-0.018) > 1e-12 {
		t.Errorf("chose %+v", c)
	}
	if len(d.Rejected) != 2 || math.Abs(d.Rejected[0].ExpectedValue-17) > 1e-9 || !d.Rejected[1].Candidate.Nothing() {
		t.Errorf("rejected %+v, want no offer at 17, then nothing", d.Rejected)
	}
	want := []string{
		"email with 10% off adds 1.80 points of conversion, worth 0.54 USD; message 0.0100 USD, offer 0.23 USD, fatigue 0.00 USD: expected 0.30 USD",
		"10% off against no offer adds 1.20 points of conversion, worth 0.36 USD, costs 0.23 USD more",
	}
	if len(d.Reasons) < 2 || !slices.Equal(d.Reasons[:2], want) {
		t.Errorf("reasons\n%s\nwant\n%s", strings.Join(d.Reasons, "\n"), strings.Join(want, "\n"))
	}
}

func TestNothingWinsWhenNothingPays(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*agents.Situation){
		"worthless orders": func(s *agents.Situation) { s.Brand.Costs.Margin = 0 },
		"tired customer": func(s *agents.Situation) {
			for range 6 {
				s.Recent = append(s.Recent, lifecycle.TouchRecord{Class: lifecycle.Marketing, At: now.Add(-time.Hour), State: lifecycle.TouchDelivered})
			}
		},
		"unreachable":      func(s *agents.Situation) { s.Channels = nil },
		"no approved copy": func(s *agents.Situation) { s.Creatives = s.Creatives[:0] },
		"only drafts": func(s *agents.Situation) {
			for i := range s.Creatives {
				s.Creatives[i].Status = lifecycle.CreativeDraft
			}
		},
		"nothing allowed": func(s *agents.Situation) { s.Offers, s.OfferNone = nil, false },
	}
	for name, change := range cases {
		for _, n := range names {
			s := situation()
			change(&s)
			d := agent(t, n).Decide(s)
			if !d.Chosen.Candidate.Nothing() || len(d.Reasons) == 0 || d.Reasons[0] == "" {
				t.Errorf("%s, %s: chose %+v, reasons %q", name, n, d.Chosen.Candidate, d.Reasons)
			}
		}
	}
}

func TestFatigueCountsMarketingTouchesOfTheLastWeek(t *testing.T) {
	t.Parallel()
	touch := func(age time.Duration, class lifecycle.MessageClass, state lifecycle.TouchState) lifecycle.TouchRecord {
		return lifecycle.TouchRecord{Class: class, At: now.Add(-age), State: state}
	}
	day := 24 * time.Hour
	cases := []struct {
		recent []lifecycle.TouchRecord
		want   float64
	}{
		{nil, 0},
		{[]lifecycle.TouchRecord{touch(day, lifecycle.Marketing, lifecycle.TouchAccepted)}, 5},
		{[]lifecycle.TouchRecord{touch(day, lifecycle.Marketing, lifecycle.TouchAccepted), touch(2*day, "", lifecycle.TouchUnconfirmed)}, 10},
		{[]lifecycle.TouchRecord{touch(day, lifecycle.Marketing, lifecycle.TouchAccepted), touch(day, lifecycle.Marketing, lifecycle.TouchDelivered),
			touch(6*day, lifecycle.Marketing, lifecycle.TouchBounced)}, 20},
		{[]lifecycle.TouchRecord{touch(7*day, lifecycle.Marketing, lifecycle.TouchAccepted)}, 0},
		{[]lifecycle.TouchRecord{touch(day, lifecycle.Transactional, lifecycle.TouchAccepted)}, 0},
		{[]lifecycle.TouchRecord{touch(day, lifecycle.Marketing, lifecycle.TouchRefused), touch(day, lifecycle.Marketing, lifecycle.TouchBlocked)}, 0},
	}
	for i, c := range cases {
		s := situation()
		s.Recent = c.recent
		if got := agent(t, "campaign").Decide(s).Chosen.FatiguePrice; got != c.want {
			t.Errorf("case %d: fatigue %v, want %v", i, got, c.want)
		}
	}
}

func TestWinbackClimbsOneRungPerTouch(t *testing.T) {
	t.Parallel()
	s := situation()
	s.Brand.Priors.OfferLift = 0.02 // every rung pays more than the one below
	for position, want := range []string{"", "ship", "ten", "twenty", "twenty"} {
		s.Position = position
		if d := agent(t, "winback").Decide(s); d.Chosen.Candidate.OfferID != want {
			t.Errorf("position %d: offer %q, want %q (%s)", position, d.Chosen.Candidate.OfferID, want, strings.Join(d.Reasons, " | "))
		}
	}
	if d := agent(t, "campaign").Decide(s); d.Chosen.Candidate.OfferID != "twenty" {
		t.Errorf("the campaign agent has no ladder, it chose %q", d.Chosen.Candidate.OfferID)
	}
}

func TestWinbackStaysWhenTheNextRungDoesNotPayForItself(t *testing.T) {
	t.Parallel()
	s := situation()
	s.Brand.Priors.OfferLift, s.Position = 0.001, 3
	if d := agent(t, "winback").Decide(s); d.Chosen.Candidate.OfferID != "" {
		t.Errorf("chose %q: %v", d.Chosen.Candidate.OfferID, d.Reasons)
	}
}

func TestCartValueReplacesTheExpectedOrder(t *testing.T) {
	t.Parallel()
	s := situation()
	s.CartValue = usd(20000)
	if got := agent(t, "winback").Decide(s).Chosen.OrderValue; got != 10000 {
		t.Errorf("order value %v, want half the cart", got)
	}
	s.CartValue = lifecycle.Money{}
	s.Profile.Orders = lifecycle.OrderStats{Count: 3, Revenue: usd(18000 + 8000)}
	if got := agent(t, "winback").Decide(s).Chosen.OrderValue; got != 4000 {
		t.Errorf("order value %v, want half of (260+60)/4", got)
	}
}

func TestEvidenceMovesTheChoice(t *testing.T) {
	t.Parallel()
	s := situation()
	s.Evidence = agents.NewEvidence([]agents.Cell{
		{Group: "lapsed", Journey: "winback", Channel: lifecycle.SMS, Touched: 5000, TouchedConversions: 400},
		{Group: "lapsed", Journey: "winback", Held: 5000, HeldConversions: 100},
	})
	d := agent(t, "campaign").Decide(s)
	if d.Chosen.Candidate.Channel != lifecycle.SMS || d.Chosen.Candidate.OfferID != "" {
		t.Errorf("chose %+v", d.Chosen.Candidate)
	}
	if !strings.Contains(d.Evidence, "400/5000 touched and 100/5000 held out converted") {
		t.Errorf("evidence %q", d.Evidence)
	}
	// Lift: 2,500 pairs showing .06 against 200 of prior .004.
	if want := (2500*0.06 + 200*0.004) / 2700; math.Abs(d.Chosen.Lift-want) > 1e-12 {
		t.Errorf("lift %v, want %v", d.Chosen.Lift, want)
	}
}

func TestTouchedWithoutHeldOutProveNothing(t *testing.T) {
	t.Parallel()
	s := situation()
	before := agent(t, "campaign").Decide(s)
	s.Evidence = agents.NewEvidence([]agents.Cell{{Group: "lapsed", Journey: "winback", Channel: lifecycle.SMS, Touched: 1000, TouchedConversions: 900}})
	after := agent(t, "campaign").Decide(s)
	if before.Chosen != after.Chosen {
		t.Errorf("chose %+v before, %+v after", before.Chosen, after.Chosen)
	}
}

func TestVariantsAreStickyAndEven(t *testing.T) {
	t.Parallel()
	s := situation()
	s.Offers, s.Channels, s.Creatives = nil, []lifecycle.Channel{lifecycle.Email}, nil
	for _, v := range []string{"a", "b", "c"} {
		s.Creatives = append(s.Creatives, lifecycle.Creative{ID: lifecycle.CreativeID(v), Slot: "slot", Channel: lifecycle.Email, Variant: v, Status: lifecycle.CreativeApproved})
	}
	got := map[lifecycle.CreativeID]int{}
	const customers = 6000
	for i := range customers {
		s.Profile.Customer.ID = lifecycle.CustomerID(fmt.Sprint("customer-", i))
		first := agent(t, "campaign").Decide(s).Chosen.Candidate.CreativeID
		shuffled := s
		shuffled.Creatives = []lifecycle.Creative{s.Creatives[2], s.Creatives[0], s.Creatives[1]}
		if again := agent(t, "campaign").Decide(shuffled).Chosen.Candidate.CreativeID; again != first {
			t.Fatalf("customer %d moved from %s to %s", i, first, again)
		}
		got[first]++
		if first != "c" { // retiring c moves nobody else
			shuffled.Creatives = s.Creatives[:2]
			if kept := agent(t, "campaign").Decide(shuffled).Chosen.Candidate.CreativeID; kept != first {
				t.Fatalf("customer %d lost %s when c retired", i, first)
			}
		}
	}
	for v, n := range got {
		// Six standard deviations of a fair third.
		if math.Abs(float64(n)-customers/3) > 6*math.Sqrt(customers*2.0/9) {
			t.Errorf("variant %s went to %d of %d", v, n, customers)
		}
	}
}

// drawSituation draws any situation within sane brand files.
func drawSituation(t *rapid.T) agents.Situation {
	s := situation()
	rate := rapid.Float64Range(0, 0.2)
	s.Brand.Priors.BaseRate = rate.Draw(t, "base")
	s.Brand.Priors.OfferLift = rate.Draw(t, "offer lift")
	s.Brand.Priors.Strength = rapid.Float64Range(1, 5000).Draw(t, "strength")
	s.Brand.Priors.Lift[lifecycle.Email] = rate.Draw(t, "email")
	s.Brand.Priors.Lift[lifecycle.SMS] = rate.Draw(t, "sms")
	s.Brand.Costs.Margin = rapid.Float64Range(0, 1).Draw(t, "margin")
	s.Position = rapid.IntRange(0, 5).Draw(t, "position")
	s.OfferNone = rapid.Bool().Draw(t, "none allowed")
	s.Offers = s.Offers[:rapid.IntRange(0, 3).Draw(t, "offers")]
	s.Channels = s.Channels[:rapid.IntRange(0, 2).Draw(t, "channels")]
	for i := range s.Creatives {
		if rapid.IntRange(0, 4).Draw(t, "retired") == 0 {
			s.Creatives[i].Status = lifecycle.CreativeRetired
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "recent") {
		s.Recent = append(s.Recent, lifecycle.TouchRecord{At: now.Add(-time.Hour), State: lifecycle.TouchDelivered})
	}
	var cells []agents.Cell
	for range rapid.IntRange(0, 6).Draw(t, "cells") {
		n, h := rapid.IntRange(0, 5000).Draw(t, "touched"), rapid.IntRange(0, 500).Draw(t, "held")
		cells = append(cells, agents.Cell{
			Group: rapid.SampledFrom([]string{"lapsed", "active"}).Draw(t, "group"), Journey: rapid.SampledFrom([]string{"winback", "other"}).Draw(t, "journey"),
			Channel: rapid.SampledFrom([]lifecycle.Channel{lifecycle.Email, lifecycle.SMS}).Draw(t, "channel"), OfferID: rapid.SampledFrom([]string{"", "ship", "ten"}).Draw(t, "offer"),
			Touched: n, TouchedConversions: rapid.IntRange(0, n).Draw(t, "converted"), Held: h, HeldConversions: rapid.IntRange(0, h).Draw(t, "held converted"),
		})
	}
	s.Evidence = agents.NewEvidence(cells)
	return s
}

func TestDecisionsStayWithinWhatIsAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		for _, n := range names {
			a := agent(t, n)
			d := a.Decide(s)
			if again := a.Decide(s); !reflect.DeepEqual(d, again) {
				t.Fatalf("%s decides differently on the same situation", n)
			}
			shuffled := s
			shuffled.Offers, shuffled.Creatives, shuffled.Channels = slices.Clone(s.Offers), slices.Clone(s.Creatives), slices.Clone(s.Channels)
			slices.Reverse(shuffled.Offers)
			slices.Reverse(shuffled.Creatives)
			slices.Reverse(shuffled.Channels)
			if again := a.Decide(shuffled); again.Chosen != d.Chosen {
				t.Fatalf("%s depends on the order of its lists: %+v, %+v", n, d.Chosen, again.Chosen)
			}
			c := d.Chosen.Candidate
			if len(d.Reasons) == 0 {
				t.Fatalf("%s gives no reason", n)
			}
			if c.Nothing() {
				for _, r := range d.Rejected {
					if r.ExpectedValue > 0 {
						t.Fatalf("%s chose nothing over %+v", n, r)
					}
				}
				continue
			}
			if d.Chosen.ExpectedValue <= 0 && !(d.Exploring && d.Chosen.OfferCost == 0 && d.Chosen.FatiguePrice == 0) {
				t.Fatalf("%s chose something without value: %+v", n, d.Chosen)
			}
			if !slices.Contains(s.Channels, c.Channel) {
				t.Fatalf("%s chose the unreachable channel %s", n, c.Channel)
			}
			if c.OfferID == "" && !s.OfferNone || c.OfferID != "" && !slices.ContainsFunc(s.Offers, func(o lifecycle.Offer) bool { return o.ID == c.OfferID }) {
				t.Fatalf("%s chose offer %q, which is not allowed", n, c.OfferID)
			}
			if !slices.ContainsFunc(s.Creatives, func(cr lifecycle.Creative) bool {
				return cr.ID == c.CreativeID && cr.Status == lifecycle.CreativeApproved && cr.Channel == c.Channel && cr.OfferID == c.OfferID && cr.Slot == c.Slot
			}) {
				t.Fatalf("%s chose copy that is not approved for it: %+v", n, c)
			}
			if !slices.IsSortedFunc(d.Rejected, func(a, b lifecycle.Valuation) int {
				return int(math.Copysign(1, b.ExpectedValue-a.ExpectedValue)) * btoi(a.ExpectedValue != b.ExpectedValue)
			}) {
				t.Fatalf("rejected are not best first: %+v", d.Rejected)
			}
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestADearerOfferNeedsMoreLift(t *testing.T) {
	t.Parallel()
	dearness := map[string]int{"": 0, "ship": 1, "ten": 2, "twenty": 3}
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		// Offers within the margin: one more sale is worth more than its offer.
		s.Brand.Costs.Margin = rapid.Float64Range(0.3, 1).Draw(t, "margin above every offer")
		for _, n := range names {
			d := agent(t, n).Decide(s)
			for _, r := range d.Rejected {
				if r.Candidate.Channel == d.Chosen.Candidate.Channel && !r.Candidate.Nothing() &&
					dearness[r.Candidate.OfferID] < dearness[d.Chosen.Candidate.OfferID] && r.Lift >= d.Chosen.Lift {
					t.Fatalf("%s chose %+v over the cheaper %+v with no less lift", n, d.Chosen, r)
				}
			}
		}
	})
}

func TestValueFallsWithFatigue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		more := s
		more.Recent = append(slices.Clone(s.Recent), lifecycle.TouchRecord{At: now.Add(-time.Minute), State: lifecycle.TouchAccepted})
		for _, n := range names {
			before, after := agent(t, n).Decide(s), agent(t, n).Decide(more)
			if after.Chosen.ExpectedValue > before.Chosen.ExpectedValue && n == "campaign" && !before.Exploring {
				t.Fatalf("%s: one more touch raised the value from %v to %v", n, before.Chosen.ExpectedValue, after.Chosen.ExpectedValue)
			}
			if before.Chosen.Candidate.Nothing() && !after.Chosen.Candidate.Nothing() {
				t.Fatalf("%s: fatigue turned nothing into %+v", n, after.Chosen)
			}
		}
	})
}

func TestMoreEvidenceMovesLiftTowardsTheObserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := situation()
		s.Channels, s.Offers = []lifecycle.Channel{lifecycle.Email}, nil
		s.Brand.Costs.Margin = 1
		s.Brand.Costs.PerTouch = nil
		observed := rapid.IntRange(1, 40).Draw(t, "touched rate in percent")
		distance := math.Inf(1)
		for _, hundreds := range []int{0, 1, 2, 5, 20, 100} {
			n := 100 * hundreds
			s.Evidence = agents.NewEvidence([]agents.Cell{{Group: "lapsed", Journey: "winback", Channel: lifecycle.Email,
				Touched: n, TouchedConversions: observed * hundreds, Held: n, HeldConversions: hundreds}})
			d := agent(t, "campaign").Decide(s)
			all := append(d.Rejected, d.Chosen)
			i := slices.IndexFunc(all, func(v lifecycle.Valuation) bool { return !v.Candidate.Nothing() })
			next := math.Abs(all[i].Lift - float64(observed-1)/100)
			if next > distance+1e-12 {
				t.Fatalf("%d customers: distance to the observed lift grew from %v to %v", n, distance, next)
			}
			distance = next
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	s := situation()
	var cells []agents.Cell
	for _, g := range lifecycle.Stages {
		for _, o := range []string{"", "ship", "ten", "twenty"} {
			cells = append(cells, agents.Cell{Group: string(g), Journey: "winback", Channel: lifecycle.Email, OfferID: o, Touched: 1000, TouchedConversions: 30, Held: 100, HeldConversions: 2})
		}
	}
	s.Evidence = agents.NewEvidence(cells)
	a := agent(b, "campaign")
	b.ReportAllocs()
	for b.Loop() {
		a.Decide(s)
	}
}
