package guardrails

import (
	"fmt"
	"strconv"
	"strings"
)

type claimKind int

const (
	percentClaim  claimKind = iota // value "10"
	moneyClaim                     // value "$12.5"
	shippingClaim                  // free shipping
	giftClaim                      // gifts, two for one, money back
	durationClaim                  // value as time.Duration text: a deadline that far ahead
	dateClaim                      // value "2026-10-28" or "10-28"
	weekdayClaim                   // value "sunday"
	dayClaim                       // value "today" or "tomorrow"
	hurryClaim                     // some deadline without saying which
	scarcityClaim                  // few are left
)

// claim is one promise found in copy.
type claim struct {
	kind     claimKind
	value    string
	discount bool   // the number is taken off, not merely mentioned
	said     string // as written
}

// findClaims reads a text from left to right; cost is linear in its length.
func findClaims(p part) []claim {
	var found []claim
	t := p.tokens
	said := func(from, to int) string {
		return strings.Join(strings.Fields(p.text[t[from].start:t[min(to, len(t))-1].end]), " ")
	}
	add := func(kind claimKind, value string, from, to int) {
		found = append(found, claim{kind, value, discounted(t, from, to), said(from, to)})
	}
	for i := 0; i < len(t); i++ {
		switch t[i].kind {
		case symbol:
			if t[i].text == "%" && i+1 < len(t) && t[i+1].kind == number && t[i+1].start == t[i].end && (i == 0 || t[i-1].kind != number) {
				add(percentClaim, decimal(t[i+1].text, false), i, i+2)
			}
			continue
		case brk:
			continue
		case word:
			class := t[i].class
			if class&phraseWord != 0 {
				for _, ph := range phrases[t[i].text] {
					if n := length(t[i:], ph.words); n > 0 {
						found = append(found, claim{ph.kind, ph.value, ph.discount, said(i, i+n)})
					}
				}
			}
			if class&(monthWord|dayNameWord) != 0 {
				if c, n := dayWord(t, i); n > 0 {
					c.said = said(i, i+n)
					found = append(found, c)
				}
			}
			if class&numberWord == 0 {
				continue
			}
		}
		if t[i].kind == number {
			for _, ph := range phrases[t[i].text] {
				if n := length(t[i:], ph.words); n > 0 {
					found = append(found, claim{ph.kind, ph.value, ph.discount, said(i, i+n)})
				}
			}
		}
		value, n := quantity(t, i)
		if n == 0 {
			continue
		}
		if date, m := numericDate(t, i); m > 0 {
			add(dateClaim, date, i, i+m)
			i += m - 1
			continue
		}
		end := i + n
		if m := percentMark(t, end); m > 0 {
			add(percentClaim, decimal(value, false), i, end+m)
		} else if m := rangeEnd(t, end); m > 0 && percentMark(t, end+m) > 0 {
			add(percentClaim, decimal(value, false), i, end+m) // the far end is found on its own
		} else if s, m := currencyAt(t, i, end); s != "" {
			v := decimal(value, true)
			if s == "¢" {
				v, s = cents(value), "$"
			}
			add(moneyClaim, s+v, i, end+m)
		} else if d, m := deadline(t, i, end, value); m > 0 {
			add(durationClaim, d, i, end+m)
		}
		i = end - 1
	}
	return found
}

// discounted looks for words around a number that take it off the price.
func discounted(t []token, from, to int) bool {
	for i := to; i < len(t) && i < to+3 && t[i].kind != brk; i++ {
		if discountAfter[t[i].text] {
			return true
		}
	}
	for i := from - 1; i >= 0 && i >= from-4 && t[i].kind != brk; i-- {
		if discountBefore[t[i].text] {
			return true
		}
	}
	return false
}

// length is how many tokens a phrase covers, hyphens between words included; 0
// when it does not stand here.
func length(t []token, phrase []string) int {
	i := 0
	for n, w := range phrase {
		for n > 0 && i < len(t) && (t[i].kind == brk || t[i].kind == symbol && (t[i].text == "-" || t[i].text == "\u2011" || t[i].text == "\u2010")) {
			i++
		}
		if i >= len(t) || strings.ReplaceAll(t[i].text, "\u2019", "'") != w {
			return 0
		}
		i++
	}
	return i
}

// quantity reads a number in digits or in words and how many tokens it takes.
func quantity(t []token, i int) (string, int) {
	if t[i].kind == number {
		return t[i].text, 1
	}
	total, n := int64(0), 0
	if v, ok := tens[t[i].text]; ok {
		total, n = v, 1
		j := i + 1
		if j < len(t) && t[j].text == "-" {
			j++
		}
		if j < len(t) && t[j].kind == word {
			if u, ok := units[t[j].text]; ok && u > 0 && u < 10 {
				total, n = v+u, j-i+1
			}
		}
	} else if v, ok := units[t[i].text]; ok {
		total, n = v, 1
	} else if t[i].text == "hundred" {
		total, n = 100, 1
	}
	if n > 0 && i+n < len(t) && t[i+n].text == "hundred" && total > 0 {
		total, n = total*100, n+1
	}
	return strconv.FormatInt(total, 10), n
}

// percentMark is how many tokens a percent sign or word takes at i.
func percentMark(t []token, i int) int {
	skipped := 0
	if i < len(t) && (t[i].kind == brk || t[i].text == "-") {
		i, skipped = i+1, 1
	}
	switch {
	case i >= len(t):
		return 0
	case t[i].text == "%" || percentWords[t[i].text]:
		return skipped + 1
	case t[i].text == "per" && i+1 < len(t) && t[i+1].text == "cent":
		return skipped + 2
	}
	return 0
}

// rangeEnd is how many tokens "-20" or "to 20" takes after a number.
func rangeEnd(t []token, i int) int {
	if i+1 < len(t) && (t[i].text == "-" || t[i].text == "\u2013" || t[i].text == "\u2014" || t[i].text == "to" || t[i].text == "or") {
		if _, n := quantity(t, i+1); n > 0 {
			return n + 1
		}
	}
	return 0
}

// currencyAt finds a currency before the number [from,to) or after it, and how
// many tokens after it belong to the amount.
func currencyAt(t []token, from, to int) (string, int) {
	if from > 0 && t[from-1].kind != brk {
		if s := signs[t[from-1].text]; s != "" && (t[from-1].kind == symbol || len(t[from-1].text) == 3) {
			return s, 0
		}
	}
	if to < len(t) {
		if s := signs[t[to].text]; s != "" {
			return s, 1
		}
		if centWords[t[to].text] {
			return "¢", 1
		}
		if t[to].text == "-" && to+1 < len(t) && t[to+1].kind == word && signs[t[to+1].text] != "" {
			return signs[t[to+1].text], 2
		}
	}
	return "", 0
}

func cents(value string) string {
	m, err := strconv.ParseInt(decimal(value, false), 10, 32)
	if err != nil {
		return "0." + value // fractions of a cent back no offer
	}
	return decimal(fmt.Sprintf("%d.%02d", m/100, m%100), false)
}

// sign of a currency as the claims name it.
func sign(currency string) string {
	if s := signs[strings.ToLower(currency)]; s != "" {
		return s
	}
	return currency
}

// decimal brings digits with separators to one form: "1,000" and "1000.00" are
// "1000", "12,50" is "12.5". A single separator before exactly three digits
// separates thousands; a point does so only in amounts of money.
func decimal(s string, money bool) string {
	last := strings.LastIndexAny(s, ".,'")
	fraction := ""
	if last >= 0 {
		single := strings.IndexAny(s, ".,'") == last
		thousands := len(s)-last-1 == 3 && (!single || s[last] != '.' || money)
		if s[last] == '\'' {
			thousands = true
		}
		if !thousands {
			s, fraction = s[:last], s[last+1:]
		}
	}
	s = strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	if s = strings.TrimLeft(s, "0"); s == "" {
		s = "0"
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		s += "." + fraction
	}
	return s
}
