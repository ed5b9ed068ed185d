package console

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"touchstone/internal/lifecycle"
)

// printer groups digits as English readers expect.
var printer = message.NewPrinter(language.English)

func number(n int) string { return printer.Sprintf("%d", n) }

// amountOf renders major units of a currency, such as "1,234.50 USD".
func amountOf(major float64, currency string) string {
	return decimalOf(major, currency) + " " + currency
}

// decimalOf renders major units with the decimals of a currency.
func decimalOf(major float64, currency string) string {
	text := printer.Sprintf("%.*f", lifecycle.MinorDigits(currency), math.Abs(major))
	if major < 0 && strings.ContainsAny(text, "123456789") {
		return "\u2212" + text // the minus sign, as wide as a digit
	}
	return text
}

// percent renders a share with one decimal.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "%" }

// when renders an instant in UTC; empty for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006, 15:04")
}

// age renders how long ago an instant of the real clock was, or how long until.
func age(t time.Time) string {
	d := time.Since(t)
	if d < 0 {
		return "in " + lasting(-d)
	}
	return lasting(d) + " ago"
}

// lasting renders a time in its largest unit, or two.
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// ending is the part of an id, of whatever type, that people compare.
func ending(id any) string {
	text := fmt.Sprint(id)
	return text[max(0, len(text)-8):]
}

// words turns a name of the system, of whatever type, such as in_review into words.
func words(name any) string {
	return strings.NewReplacer("_", " ", ".", " ").Replace(fmt.Sprint(name))
}

// shorten cuts text to n characters.
func shorten(n int, text string) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// initials stand for a person in a small circle.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		letters = append(letters, []rune(strings.ToUpper(word))[0])
	}
	return string(letters[:min(2, len(letters))])
}

// contentTags are the entity tags of the static files, by their path.
func contentTags() (map[string]string, error) {
	tags := map[string]string{}
	err := fs.WalkDir(staticEmbedded, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := staticEmbedded.ReadFile(path)
		tags[path] = fmt.Sprintf(`"%x"`, sha256.Sum256(content))
		return err
	})
	return tags, err
}
