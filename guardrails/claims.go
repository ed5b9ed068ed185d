package guardrails

import (
	"strconv"
	"strings"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

var claimsRule = Rule{
	Name:    "claims",
	Doc:     "Blocks copy that promises what the brand does not give. Every percentage, amount of money, free shipping, gift, deadline, date and scarcity in the copy must be what the offer says (its end is counted from the instant of the touch, by the customer's calendar) or stand in the brand's facts; amounts may also be the customer's own, such as the cart's value. A discount code must be the offer's own, and the creative must be made for the offer. Receipts state what was paid and are exempt; replies are not.",
	Source:  "CAN-SPAM, 15 USC 7704(a)(2); 16 CFR 233; UCPD Annex I no. 7 on false deadlines",
	Content: true,
	Timed:   true, // deadlines move with the instant
	Check: func(t Touch, p *Policy, b *brand.Brand) []lifecycle.Finding {
		if t.Class == lifecycle.Transactional {
			return nil
		}
		offered := "no offer"
		if t.Offer != nil {
			offered = "offer " + t.Offer.ID
		}
		if id := t.Creative.OfferID; id != "" && (t.Offer == nil || t.Offer.ID != id) {
			return one(lifecycle.Block, "copy for offer "+id, offered, "the copy was written for another offer")
		}
		truth := truthOf(t, b, t.home(p, b))
		for _, part := range t.read().parts {
			for _, c := range findClaims(part) {
				if !truth.backs(c) {
					return one(lifecycle.Block, c.said, offered+" and the brand's facts", "the "+part.name+" claims \""+c.said+"\", which neither the offer nor the facts back")
				}
			}
			if code := wrongCode(part, t.Offer, b.Offers); code != "" {
				return one(lifecycle.Block, code, offered, "the "+part.name+" names the code "+code+", which is not this offer's")
			}
		}
		return nil
	},
	Examples: []Example{
		{Name: "no claims", Want: lifecycle.Allow},
		{Name: "invented discount", Change: mailSaying("Take 20% off today's order"), Want: lifecycle.Block},
		{Name: "the offer's discount", Change: offering("ten-percent", "Take 10% off with code TAKE10"), Want: lifecycle.Allow},
		{Name: "with a space", Change: offering("ten-percent", "Take 10 % off"), Want: lifecycle.Allow},
		{Name: "in words", Change: offering("ten-percent", "Take ten percent off"), Want: lifecycle.Allow},
		{Name: "other discount in words", Change: offering("ten-percent", "Take fifteen per cent off"), Want: lifecycle.Block},
		{Name: "split by markup", Change: offering("ten-percent", "Take <b>2</b><i>0</i>&#37; off"), Want: lifecycle.Block},
		{Name: "full-width digits", Change: offering("ten-percent", "Take ２０％ off"), Want: lifecycle.Block},
		{Name: "range reaching beyond", Change: offering("ten-percent", "Take 10-20% off"), Want: lifecycle.Block},
		{Name: "half price", Change: mailSaying("Everything at half price"), Want: lifecycle.Block},
		{Name: "a fact", Change: mailSaying("Linen from 100% European flax, free returns within 30 days"), Want: lifecycle.Allow},
		{Name: "a fact's number as a discount", Change: mailSaying("Save 100% now"), Want: lifecycle.Block},
		{Name: "the cart's own value", Change: func(t *Touch) {
			mailSaying("Your cart: $84.50")(t)
			t.Amounts = []lifecycle.Money{{Amount: 8450, Currency: "USD"}}
		}, Want: lifecycle.Allow},
		{Name: "the cart's own value as a discount", Change: func(t *Touch) {
			mailSaying("Take $84.50 off")(t)
			t.Amounts = []lifecycle.Money{{Amount: 8450, Currency: "USD"}}
		}, Want: lifecycle.Block},
		{Name: "invented amount", Change: mailSaying("Here are $20 for you"), Want: lifecycle.Block},
		{Name: "invented amount in words", Change: mailSaying("Here are twenty dollars for you"), Want: lifecycle.Block},
		{Name: "free shipping without the offer", Change: mailSaying("With free shipping, of course"), Want: lifecycle.Block},
		{Name: "free shipping with the offer", Change: offering("free-shipping", "With free shipping, of course"), Want: lifecycle.Allow},
		{Name: "gift", Change: mailSaying("And a free gift for you"), Want: lifecycle.Block},
		{Name: "the offer's deadline", Change: offering("ten-percent", "10% off, valid for 14 days"), Want: lifecycle.Allow},
		{Name: "the same in weeks", Change: offering("ten-percent", "10% off for the next two weeks"), Want: lifecycle.Allow},
		{Name: "another deadline", Change: offering("ten-percent", "10% off, only 3 days left"), Want: lifecycle.Block},
		{Name: "the offer's last day", Change: offering("ten-percent", "10% off until October 28"), Want: lifecycle.Allow},
		{Name: "another last day", Change: offering("ten-percent", "10% off until October 20"), Want: lifecycle.Block},
		{Name: "false hurry", Change: offering("ten-percent", "10% off, today only"), Want: lifecycle.Block},
		{Name: "scarcity", Change: mailSaying("Get it while supplies last"), Want: lifecycle.Block},
		{Name: "time gone by is no deadline", Change: mailSaying("It has been 60 days since your last order"), Want: lifecycle.Allow},
		{Name: "another offer's code", Change: offering("ten-percent", "10% off with code TAKE15"), Want: lifecycle.Block},
		{Name: "an invented code", Change: offering("ten-percent", "10% off with code SUMMER99"), Want: lifecycle.Block},
		{Name: "a code without an offer", Change: mailSaying("Use code WELCOME at the till"), Want: lifecycle.Block},
		{Name: "receipt with its total", Change: func(t *Touch) {
			mailSaying("You paid $49.00 on October 12")(t)
			t.Class = lifecycle.Transactional
		}, Want: lifecycle.Allow},
		{Name: "reply that promises", Change: func(t *Touch) {
			mailSaying("We give you 20% off")(t)
			t.Class = lifecycle.Reply
		}, Want: lifecycle.Block},
		{Name: "copy for another offer", Change: func(t *Touch) { t.Creative.OfferID = "fifteen-percent" }, Want: lifecycle.Block},
	},
}

// truth is what the copy of one touch may claim.
type truth struct {
	offer *lifecycle.Offer
	facts []claim
	own   []lifecycle.Money
	now   time.Time // on the customer's wall
	end   time.Time // of the offer, on the customer's wall
}

func truthOf(t Touch, b *brand.Brand, zone *time.Location) truth {
	k := truth{offer: t.Offer, own: t.Amounts, now: wallOf(t.At, zone)}
	for _, f := range b.Voice.Facts {
		k.facts = append(k.facts, findClaims(part{text: plain(f), tokens: tokenize(plain(f))})...)
	}
	if t.Offer != nil {
		k.end = wallOf(t.At.Add(t.Offer.ValidFor), zone)
		label := plain(t.Offer.Label)
		for _, c := range findClaims(part{text: label, tokens: tokenize(label)}) {
			if !c.discount { // conditions such as a minimum order; the discount itself is checked as data
				k.facts = append(k.facts, c)
			}
		}
	}
	return k
}

func (k truth) backs(c claim) bool {
	for _, f := range k.facts {
		if f.kind == c.kind && f.value == c.value && (f.discount || !c.discount) {
			return true
		}
	}
	if c.kind == moneyClaim && !c.discount {
		for _, m := range k.own {
			if c.value == moneyValue(m) {
				return true
			}
		}
	}
	o := k.offer
	if o == nil {
		return false
	}
	limited := o.ValidFor > 0
	switch c.kind {
	case percentClaim:
		return o.Kind == lifecycle.PercentOff && c.value == strconv.Itoa(o.Percent)
	case moneyClaim:
		return o.Kind == lifecycle.AmountOff && c.value == moneyValue(o.Amount)
	case shippingClaim:
		return o.Kind == lifecycle.FreeShipping
	case durationClaim:
		return limited && c.value == o.ValidFor.String()
	case dateClaim:
		return limited && (c.value == k.end.Format("2006-01-02") || c.value == k.end.Format("01-02"))
	case weekdayClaim:
		return limited && o.ValidFor <= 7*24*time.Hour && c.value == strings.ToLower(k.end.Weekday().String())
	case dayClaim:
		day := k.now
		if c.value == "tomorrow" {
			day = day.AddDate(0, 0, 1)
		}
		return limited && k.end.Format(time.DateOnly) == day.Format(time.DateOnly)
	case hurryClaim:
		return limited
	}
	return false
}

// moneyValue is the value of a claim to this amount: "$12.5". Amounts beyond
// a currency's usual decimals keep them, so 12.345 is not read as thousands.
func moneyValue(m lifecycle.Money) string {
	text, _, _ := strings.Cut(m.String(), " ")
	return sign(m.Currency) + decimal(text, false)
}

// offering attaches a brand offer to the touch and says a sentence about it.
func offering(id, sentence string) func(*Touch) {
	return func(t *Touch) {
		offer, ok := brand.Example().Offer(id)
		if !ok {
			panic("guardrails: the example brand has no offer " + id)
		}
		t.Offer = &offer
		t.Creative.OfferID = id
		mailSaying(sentence)(t)
	}
}
