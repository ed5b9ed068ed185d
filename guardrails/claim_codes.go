package guardrails

import (
	"strings"
	"unicode"

	"touchstone/internal/lifecycle"
)

// wrongCode finds a discount code that is not the offer's: any code of the
// catalogue, or what stands in capitals near a word that announces a code.
func wrongCode(p part, offer *lifecycle.Offer, catalogue []lifecycle.Offer) string {
	own := ""
	if offer != nil {
		own = offer.Code
	}
	announced := -10
	for i, t := range p.tokens {
		if t.class&codeWord != 0 && !t.code {
			announced = i
			continue
		}
		if !t.code {
			continue
		}
		start, end := codeAround(p.text, t)
		if start != int(t.start) {
			continue
		}
		code := p.text[start:end]
		if own != "" && strings.EqualFold(code, own) {
			continue
		}
		for _, o := range catalogue {
			if o.Code != "" && strings.EqualFold(code, o.Code) {
				return code
			}
		}
		if i-announced <= 4 && looksLikeCode(code) {
			return code
		}
	}
	return ""
}

// codeAround is the run of code characters a token stands in.
func codeAround(text string, t token) (start, end int) {
	inner := func(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }
	start, end = int(t.start), int(t.end)
	for start > 0 && inner(text[start-1]) && int(t.start)-start < 40 {
		start--
	}
	for end < len(text) && inner(text[end]) && end-int(t.end) < 40 {
		end++
	}
	return start, end
}

func looksLikeCode(s string) bool {
	if len(s) < 4 {
		return false
	}
	letters := 0
	for _, r := range s {
		if unicode.IsLower(r) {
			return false
		}
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters >= 2
}
