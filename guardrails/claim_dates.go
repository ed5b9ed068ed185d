package guardrails

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// deadline reads a length of time that lies ahead.
func deadline(t []token, from, to int, value string) (string, int) {
	m := 1
	if to < len(t) && t[to].text == "-" {
		to, m = to+1, 2
	}
	if to >= len(t) || t[to].kind != word {
		return "", 0
	}
	unit, ok := timeUnits[t[to].text]
	if !ok {
		return "", 0
	}
	ahead := false
	for i := to + 1; i < len(t) && i <= to+2 && t[i].kind != brk && t[i].text != "."; i++ {
		if timeGoneBy[t[i].text] {
			return "", 0
		}
		ahead = ahead || deadlineAfter[t[i].text]
	}
	for i := from - 1; i >= 0 && i >= from-4 && t[i].kind != brk && t[i].text != "."; i-- {
		if timeGoneBy[t[i].text] {
			return "", 0
		}
		ahead = ahead || deadlineBefore[t[i].text]
	}
	if !ahead {
		return "", 0
	}
	n, err := strconv.ParseFloat(decimal(value, false), 64)
	if err != nil || n > 100_000 {
		return value + " " + t[to].text, m // backed by nothing
	}
	return time.Duration(n * float64(unit)).String(), m
}

// dayWord reads a named day at i: a month with its day, or a weekday, today,
// tonight, tomorrow or midnight that something runs until.
func dayWord(t []token, i int) (claim, int) {
	if m, ok := months[t[i].text]; ok {
		if i+1 < len(t) && t[i+1].kind == number { // October 28, 2026
			if d, err := strconv.Atoi(t[i+1].text); err == nil && d >= 1 && d <= 31 {
				n := 2
				if i+2 < len(t) && ordinal(t[i+2].text) {
					n = 3
				}
				return onDay(t, i, n, m, d)
			}
		}
		if day := dayBefore(t, i); day > 0 { // 28 October, 28th of October
			return onDay(t, i, 1, m, day)
		}
		return claim{}, 0
	}
	value := t[i].text
	kind := dayClaim
	switch {
	case weekdays[value]:
		kind = weekdayClaim
	case value == "tonight" || value == "midnight":
		value = "today"
	case value != "today" && value != "tomorrow":
		return claim{}, 0
	}
	for j := i - 1; j >= 0 && j >= i-3 && t[j].kind == word; j-- {
		if untilWords[t[j].text] {
			return claim{kind: kind, value: value}, 1
		}
	}
	return claim{}, 0
}

// onDay is the date claim of a month and day, with the year if one follows.
func onDay(t []token, i, n, month, day int) (claim, int) {
	value := fmt.Sprintf("%02d-%02d", month, day)
	j := i + n
	if j < len(t) && t[j].text == "," {
		j++
	}
	if j < len(t) && t[j].kind == number && len(t[j].text) == 4 && strings.Trim(t[j].text, "0123456789") == "" {
		return claim{kind: dateClaim, value: t[j].text + "-" + value}, j - i + 1
	}
	return claim{kind: dateClaim, value: value}, n
}

func ordinal(s string) bool { return s == "st" || s == "nd" || s == "rd" || s == "th" }

// dayBefore is the day of the month standing before a month's name.
func dayBefore(t []token, i int) int {
	for j := i - 1; j >= 0 && j >= i-3; j-- {
		if t[j].kind == number {
			if d, err := strconv.Atoi(t[j].text); err == nil && d >= 1 && d <= 31 {
				return d
			}
			return 0
		}
		if !ordinal(t[j].text) && t[j].text != "of" && t[j].text != "." {
			return 0
		}
	}
	return 0
}

// numericDate reads 2026-10-28, 28.10.2026, 10/28/2026, and 10/28 after a word
// that makes it a deadline. Month and day are told apart by the separator:
// slashes are read month first unless that cannot be.
func numericDate(t []token, i int) (string, int) {
	if t[i].kind != number {
		return "", 0
	}
	if f := strings.Split(t[i].text, "."); len(f) == 3 && len(f[2]) == 4 { // one token
		return calendarDate(f[2], f[1], f[0]), 1
	}
	if i+2 >= len(t) || t[i+2].kind != number || t[i+2].start-t[i].end != 1 || t[i+1].text != "-" && t[i+1].text != "/" {
		return "", 0
	}
	sep := t[i+1].text
	three := i+4 < len(t) && t[i+3].text == sep && t[i+4].kind == number && t[i+4].start-t[i+2].end == 1
	a, b := t[i].text, t[i+2].text
	switch {
	case three && len(a) == 4:
		return calendarDate(a, b, t[i+4].text), 5
	case three && (len(t[i+4].text) == 4 || len(t[i+4].text) == 2):
		year := t[i+4].text
		if len(year) == 2 {
			year = "20" + year
		}
		if n, err := strconv.Atoi(a); err == nil && n > 12 {
			a, b = b, a
		}
		return calendarDate(year, a, b), 5
	case sep == "/" && i > 0 && untilWords[t[i-1].text]:
		if n, err := strconv.Atoi(a); err == nil && n > 12 {
			a, b = b, a
		}
		return strings.TrimPrefix(calendarDate("0000", a, b), "0000-"), 3
	}
	return "", 0
}

func calendarDate(year, month, day string) string {
	pad := func(s string) string {
		if len(s) == 1 {
			return "0" + s
		}
		return s
	}
	return year + "-" + pad(month) + "-" + pad(day)
}
