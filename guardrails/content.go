package guardrails

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"touchstone/internal/lifecycle"
)

// content is a message taken apart once, for all rules that read the copy.
type content struct {
	message lifecycle.Message
	markup  *markup
	parts   []part
}

// part is one text of the message in the order a reader meets them.
type part struct {
	name   string // "subject", "preheader", "HTML", "hidden HTML", "text"
	text   string // plain, composed, without invisible characters
	tokens []token
}

func readContent(m lifecycle.Message) *content {
	c := &content{message: m, markup: readMarkup(m.HTML), parts: make([]part, 0, 5)}
	for _, p := range []part{
		{name: "subject", text: m.Subject}, {name: "preheader", text: m.Preheader},
		{name: "HTML", text: c.markup.visible.String()}, {name: "hidden HTML", text: c.markup.hidden.String()}, {name: "text", text: m.Text},
	} {
		p.text = plain(p.text)
		p.tokens = tokenize(withoutLink(withoutLink(p.text, m.UnsubscribeURL), m.ConfirmURL))
		c.parts = append(c.parts, p)
	}
	return c
}

// withoutLink blanks one of the message's own signed links, whose signature may by
// chance read like an amount. Any other address stays: it may make a claim.
func withoutLink(text, link string) string {
	if link == "" {
		return text
	}
	return strings.ReplaceAll(text, link, strings.Repeat(" ", len(link)))
}

func (c *content) part(name string) part {
	for _, p := range c.parts {
		if p.name == name {
			return p
		}
	}
	return part{name: name}
}

// plain composes lookalikes (full-width digits, ligatures), turns every decimal
// digit into an ASCII one and drops characters nobody sees, so that a claim
// cannot hide from the rules that its reader still sees.
func plain(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	if !norm.NFKC.IsNormalString(s) {
		s = norm.NFKC.String(s)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case r == '\u00ad' || r >= '\u200b' && r <= '\u200f' || r >= '\u2060' && r <= '\u2064' || r == '\ufeff' || r == '\u034f':
			return -1
		case r == '\u066a':
			return '%'
		case unicode.Is(unicode.Nd, r):
			return '0' + digit(r)
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, s)
}

// digit is the value of a decimal digit; Unicode keeps each script's ten together.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}

type tokenKind byte

const (
	word   tokenKind = iota // letters, digits after letters, inner apostrophes; lower case
	number                  // digits with inner separators
	symbol                  // one character
	brk                     // end of a line
)

type token struct {
	kind  tokenKind
	class wordClass // what the rules know the word for
	code  bool      // capitals only, or letters with digits: what discount codes look like
	start int32     // byte offset in the part's text
	end   int32
	text  string
}

func tokenize(s string) []token {
	tokens := make([]token, 0, len(s)/4+4)
	for i := 0; i < len(s); {
		c := s[i]
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		t := token{start: int32(i)}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			i++
			continue
		case c == '\n':
			i++
			if len(tokens) > 0 && tokens[len(tokens)-1].kind == brk {
				continue
			}
			t.kind, t.text = brk, "\n"
		case isDigit(c):
			for i < len(s) && (isDigit(s[i]) || (s[i] == '.' || s[i] == ',' || s[i] == '\'') && i+1 < len(s) && isDigit(s[i+1])) {
				i++
			}
			t.kind, t.text, t.code = number, s[t.start:i], true
		case letter(r):
			i = wordEnd(s, i, &t)
		default:
			i += size
			t.kind, t.text = symbol, s[t.start:i]
		}
		t.end = int32(i)
		if t.kind != brk && t.kind != number {
			t.class = classOf(t.text)
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// wordEnd reads a word that begins at i into t and returns where it ends.
func wordEnd(s string, i int, t *token) int {
	start, upper, lower, digit := i, false, false, false
	for i < len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
			lower = true
			i++
			continue
		case c >= 'A' && c <= 'Z':
			upper = true
			i++
			continue
		case isDigit(c):
			digit = true
			i++
			continue
		case c < utf8.RuneSelf && c != '\'':
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == '\u2019' || r == '\'' {
				if next, _ := utf8.DecodeRuneInString(s[i+n:]); letter(next) {
					i += n
					continue
				}
			} else if letter(r) {
				upper = upper || unicode.IsUpper(r)
				lower = lower || !unicode.IsUpper(r)
				i += n
				continue
			}
		}
		break
	}
	t.kind, t.text, t.code = word, s[start:i], digit || upper && !lower
	if upper {
		t.text = strings.ToLower(t.text)
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func letter(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.Is(unicode.Mn, r)
}

// words are the tokens that carry meaning, for comparing phrases.
func words(s string) []string {
	var list []string
	for _, t := range tokenize(plain(s)) {
		if t.kind == word || t.kind == number {
			list = append(list, t.text)
		}
	}
	return list
}

// says finds a phrase of words in tokens, whatever stands between them but
// other words, and returns the index of its first token.
func says(tokens []token, phrase []string) (int, bool) {
	if len(phrase) == 0 {
		return 0, false
	}
	for i := range tokens {
		if t := &tokens[i]; t.text == phrase[0] && t.kind <= number && follows(tokens[i+1:], phrase[1:]) {
			return i, true
		}
	}
	return 0, false
}

func follows(tokens []token, phrase []string) bool {
	for i := range tokens {
		if len(phrase) == 0 {
			return true
		}
		t := &tokens[i]
		if t.kind > number {
			continue
		}
		if t.text != phrase[0] {
			return false
		}
		phrase = phrase[1:]
	}
	return len(phrase) == 0
}
