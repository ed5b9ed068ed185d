package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
)

// width is the number of columns that output for people fits into.
const width = 100

// wrap breaks text into lines of at most the width left beside an indent, and
// puts the indent before every line but the first.
func wrap(text string, indent int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width-indent:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n"+strings.Repeat(" ", indent))
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// day renders an instant with its date, "-" when there is none.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// age renders how long ago, or for how long, in its two largest units.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + age(-d)
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

func count(n int) string { return strconv.Itoa(n) }

// many renders "1 touch" or "3 touches".
func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// percent renders a share.
func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', -1, 64) + "%" }

// ending is the part of an id that people compare and type.
func ending[ID ~string](id ID) string {
	if len(id) <= 8 {
		return string(id)
	}
	return string(id[len(id)-8:])
}

// hash is the part of a content hash that people compare.
func hash(content string) string { return content[:min(12, len(content))] }

// parseShare reads "20%" or "0.2".
func parseShare(flag, s string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(s), "%")
	share, err := strconv.ParseFloat(number, 64)
	if isPercent {
		share /= 100
	}
	if err != nil || share < 0 || share > 1 || share != share {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "%s %q: give a share such as 20%% or 0.2", flag, s)
	}
	return share, nil
}

// parseSince reads an instant, a date, or an age such as 7d before now.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	if d, err := clock.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, lifecycle.Errorf(lifecycle.Invalid, "--since %q: give a date such as 2026-03-01, an instant, or an age such as 7d", s)
}

func list(words []string) string { return strings.Join(words, ", ") }

// percentOf renders a measured share with one decimal.
func percentOf(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }
