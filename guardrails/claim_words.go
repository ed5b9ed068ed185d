package guardrails

import "time"

// The words claims are made of. Lower case; NFKC.

var units = map[string]int64{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
	"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
	"seventeen": 17, "eighteen": 18, "nineteen": 19,
}

var tens = map[string]int64{
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}

var percentWords = map[string]bool{"percent": true, "pct": true, "percentage": true, "prozent": true}

// signs maps currency words and symbols to one sign per currency; currencies
// that share a sign are not told apart.
var signs = map[string]string{
	"$": "$", "usd": "$", "cad": "$", "aud": "$", "nzd": "$", "sgd": "$", "hkd": "$", "mxn": "$", "us$": "$",
	"dollar": "$", "dollars": "$", "buck": "$", "bucks": "$",
	"€": "€", "eur": "€", "euro": "€", "euros": "€",
	"£": "£", "gbp": "£", "pound": "£", "pounds": "£", "quid": "£",
	"¥": "¥", "jpy": "¥", "cny": "¥", "yen": "¥", "yuan": "¥",
	"₹": "₹", "inr": "₹", "rupee": "₹", "rupees": "₹",
	"chf": "CHF", "francs": "CHF", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "pln": "PLN", "czk": "CZK", "brl": "BRL",
	"₩": "₩", "krw": "₩", "₽": "₽", "rub": "₽", "₺": "₺", "try": "", // "try" is a word first
}

var centWords = map[string]bool{"cent": true, "cents": true, "¢": true}

// off after a number, or save before it, makes the number a discount.
var (
	discountAfter  = map[string]bool{"off": true, "discount": true, "rabatt": true, "less": true, "cheaper": true, "savings": true, "reduction": true, "voucher": true, "credit": true}
	discountBefore = map[string]bool{"save": true, "saves": true, "saving": true, "discount": true, "discounted": true, "reduced": true, "minus": true}
)

// timeUnits by name; a month counts 30 days.
var timeUnits = map[string]time.Duration{
	"minute": time.Minute, "minutes": time.Minute, "min": time.Minute, "mins": time.Minute,
	"hour": time.Hour, "hours": time.Hour, "hr": time.Hour, "hrs": time.Hour, "h": time.Hour,
	"day": 24 * time.Hour, "days": 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	"month": 30 * 24 * time.Hour, "months": 30 * 24 * time.Hour,
}

// A length of time is a deadline when one of these stands near.
var (
	deadlineBefore = map[string]bool{"within": true, "next": true, "valid": true, "expires": true, "expire": true, "expiring": true, "ends": true, "end": true, "ending": true, "only": true, "until": true, "in": true, "for": true, "good": true, "just": true}
	deadlineAfter  = map[string]bool{"left": true, "only": true, "remaining": true, "sale": true}
	timeGoneBy     = map[string]bool{"ago": true, "since": true, "been": true, "past": true, "last": true, "after": true, "every": true, "old": true}
)

// A day is a deadline after one of these.
var untilWords = map[string]bool{
	"until": true, "till": true, "til": true, "by": true, "before": true, "through": true, "thru": true,
	"ends": true, "end": true, "ending": true, "expires": true, "expire": true, "expiring": true, "deadline": true, "valid": true, "closes": true,
}

var months = map[string]int{
	"january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8,
	"september": 9, "october": 10, "november": 11, "december": 12,
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10, "nov": 11, "dec": 12,
}

var weekdays = map[string]bool{
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "saturday": true, "sunday": true,
}

// phrase is a claim made by fixed words.
type phrase struct {
	words    []string
	kind     claimKind
	value    string
	discount bool
}

// phrases by their first word.
var phrases = byFirst([]phrase{
	{[]string{"half", "off"}, percentClaim, "50", true},
	{[]string{"half", "price"}, percentClaim, "50", true},
	{[]string{"free", "shipping"}, shippingClaim, "", false},
	{[]string{"free", "delivery"}, shippingClaim, "", false},
	{[]string{"free", "postage"}, shippingClaim, "", false},
	{[]string{"free", "standard", "shipping"}, shippingClaim, "", false},
	{[]string{"free", "express", "shipping"}, shippingClaim, "", false},
	{[]string{"free", "standard", "delivery"}, shippingClaim, "", false},
	{[]string{"free", "express", "delivery"}, shippingClaim, "", false},
	{[]string{"free", "home", "delivery"}, shippingClaim, "", false},
	{[]string{"free", "next", "day", "delivery"}, shippingClaim, "", false},
	{[]string{"shipping", "is", "free"}, shippingClaim, "", false},
	{[]string{"shipping", "is", "on", "us"}, shippingClaim, "", false},
	{[]string{"shipping", "on", "us"}, shippingClaim, "", false},
	{[]string{"delivery", "is", "free"}, shippingClaim, "", false},
	{[]string{"delivery", "is", "on", "us"}, shippingClaim, "", false},
	{[]string{"delivery", "on", "us"}, shippingClaim, "", false},
	{[]string{"ship", "free"}, shippingClaim, "", false},
	{[]string{"ships", "free"}, shippingClaim, "", false},
	{[]string{"ship", "for", "free"}, shippingClaim, "", false},
	{[]string{"ships", "for", "free"}, shippingClaim, "", false},
	{[]string{"without", "shipping", "costs"}, shippingClaim, "", false},
	{[]string{"no", "shipping", "costs"}, shippingClaim, "", false},
	{[]string{"no", "shipping", "fees"}, shippingClaim, "", false},
	{[]string{"complimentary", "shipping"}, shippingClaim, "", false},
	{[]string{"complimentary", "delivery"}, shippingClaim, "", false},
	{[]string{"versandkostenfrei"}, shippingClaim, "", false},
	{[]string{"kostenloser", "versand"}, shippingClaim, "", false},
	{[]string{"gratis", "versand"}, shippingClaim, "", false},
	{[]string{"livraison", "gratuite"}, shippingClaim, "", false},
	{[]string{"envío", "gratis"}, shippingClaim, "", false},
	{[]string{"free", "gift"}, giftClaim, "gift", false},
	{[]string{"free", "gifts"}, giftClaim, "gift", false},
	{[]string{"free", "sample"}, giftClaim, "sample", false},
	{[]string{"free", "samples"}, giftClaim, "sample", false},
	{[]string{"buy", "one", "get", "one"}, giftClaim, "second", false},
	{[]string{"buy", "1", "get", "1"}, giftClaim, "second", false},
	{[]string{"bogo"}, giftClaim, "second", false},
	{[]string{"two", "for", "one"}, giftClaim, "second", false},
	{[]string{"2", "for", "1"}, giftClaim, "second", false},
	{[]string{"money", "back"}, giftClaim, "money back", false},
	{[]string{"today", "only"}, dayClaim, "today", false},
	{[]string{"only", "today"}, dayClaim, "today", false},
	{[]string{"ends", "today"}, dayClaim, "today", false},
	{[]string{"ends", "tonight"}, dayClaim, "today", false},
	{[]string{"tonight", "only"}, dayClaim, "today", false},
	{[]string{"last", "day"}, dayClaim, "today", false},
	{[]string{"final", "day"}, dayClaim, "today", false},
	{[]string{"ends", "tomorrow"}, dayClaim, "tomorrow", false},
	{[]string{"last", "chance"}, hurryClaim, "last chance", false},
	{[]string{"final", "chance"}, hurryClaim, "last chance", false},
	{[]string{"final", "hours"}, dayClaim, "today", false},
	{[]string{"limited", "time"}, hurryClaim, "limited time", false},
	{[]string{"ends", "soon"}, hurryClaim, "soon", false},
	{[]string{"ending", "soon"}, hurryClaim, "soon", false},
	{[]string{"expires", "soon"}, hurryClaim, "soon", false},
	{[]string{"expiring", "soon"}, hurryClaim, "soon", false},
	{[]string{"before", "it", "is", "gone"}, scarcityClaim, "gone", false},
	{[]string{"before", "it's", "gone"}, scarcityClaim, "gone", false},
	{[]string{"before", "they're", "gone"}, scarcityClaim, "gone", false},
	{[]string{"while", "supplies", "last"}, scarcityClaim, "supplies", false},
	{[]string{"while", "stocks", "last"}, scarcityClaim, "supplies", false},
	{[]string{"while", "stock", "lasts"}, scarcityClaim, "supplies", false},
	{[]string{"selling", "fast"}, scarcityClaim, "selling", false},
	{[]string{"almost", "gone"}, scarcityClaim, "gone", false},
	{[]string{"almost", "sold", "out"}, scarcityClaim, "gone", false},
	{[]string{"low", "stock"}, scarcityClaim, "stock", false},
	{[]string{"limited", "stock"}, scarcityClaim, "stock", false},
	{[]string{"limited", "quantities"}, scarcityClaim, "stock", false},
})

func byFirst(list []phrase) map[string][]phrase {
	m := map[string][]phrase{}
	for _, p := range list {
		m[p.words[0]] = append(m[p.words[0]], p)
	}
	return m
}

// codeWords announce a discount code.
var codeWords = map[string]bool{
	"code": true, "codes": true, "coupon": true, "coupons": true, "voucher": true, "promo": true, "promocode": true, "gutschein": true, "gutscheincode": true,
}
