package ingest

import (
	"net/mail"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"touchstone/internal/lifecycle"
)

// Lengths of stored text in bytes. An e-mail address is limited by RFC 5321
// section 4.5.3.1, a message id by the tracking API's own documentation.
const (
	maxID       = 200
	maxEmail    = 254
	maxName     = 200
	maxShort    = 100
	maxWording  = 2000
	maxAgent    = 500
	maxMessage  = 100
	maxDocument = 32 << 10
)

// earliest is the first instant accepted: before it, a clock was not set.
var earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)

// future is how far ahead of now an instant may lie, for clocks that run fast.
const future = 24 * time.Hour

// text checks that a value can be stored as it is.
func text(column, s string, limit int) error {
	if len(s) > limit {
		return reject(column, "is longer than %d bytes", limit)
	}
	if !utf8.ValidString(s) {
		return reject(column, "is not valid UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return reject(column, "contains a NUL byte")
	}
	return nil
}

// required is text that must not be empty.
func required(column, s string, limit int) error {
	if s == "" {
		return reject(column, "is missing")
	}
	return text(column, s, limit)
}

// email checks an address: one bare RFC 5322 address whose domain has at least
// two labels of letters, digits and hyphens.
func email(column, s string) error {
	if err := text(column, s, maxEmail); err != nil {
		return err
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return reject(column, "is not an e-mail address")
	}
	at := strings.LastIndexByte(s, '@')
	if at > 64 {
		return reject(column, "has a part before @ longer than 64 bytes")
	}
	if strings.ContainsAny(s, "\" \t\r\n") {
		return reject(column, "is a quoted address, which providers refuse")
	}
	labels := strings.Split(s[at+1:], ".")
	if len(labels) < 2 {
		return reject(column, "has a domain without a dot")
	}
	for _, label := range labels {
		if !hostLabel(label) {
			return reject(column, "has a domain that cannot exist")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return reject(column, "has a domain that cannot exist")
	}
	return nil
}

// hostLabel reports whether s is a label of a host name; letters beyond ASCII
// are allowed as in internationalised names.
func hostLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, r := range s {
		if r < utf8.RuneSelf && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' {
			return false
		}
	}
	return true
}

// phone checks an E.164 number: plus sign, no leading zero, 7 to 15 digits.
func phone(column, s string) error {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' || strings.Trim(s[1:], "0123456789") != "" {
		return reject(column, "is not an E.164 number such as +14155550100")
	}
	return nil
}

// zones remembers time zones by name: loading one reads a file. It holds at
// most as many names as exist, because unknown names are not kept.
type zones struct {
	mu     sync.RWMutex
	loaded map[string]*time.Location
}

func (z *zones) load(name string) (*time.Location, bool) {
	z.mu.RLock()
	loc, ok := z.loaded[name]
	z.mu.RUnlock()
	if ok {
		return loc, true
	}
	if name == "" || name == "Local" || len(name) > maxShort {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.loaded == nil {
		z.loaded = map[string]*time.Location{}
	}
	z.loaded[name] = loc
	return loc, true
}

// zone checks an IANA time zone name; renamed ones ("Asia/Calcutta") pass.
func (z *zones) zone(column, s string) error {
	if _, ok := z.load(s); !ok {
		return reject(column, "is not an IANA time zone such as Europe/London")
	}
	return nil
}

// country checks the shape of an ISO 3166-1 alpha-2 code.
func country(column, s string) error {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return reject(column, "is not a two-letter country code such as GB: translate names with values in the mapping")
	}
	return nil
}

// currency checks that amounts are in the brand's currency: totals of different
// currencies cannot be added up.
func currency(column, s, brand string) error {
	if !lifecycle.ValidCurrency(s) {
		return reject(column, "is not an ISO 4217 code such as USD")
	}
	if s != brand {
		return reject(column, "is not the brand's currency %s", brand)
	}
	return nil
}

// instantFormat reads instants of one column.
type instantFormat struct {
	layout string         // Go layout; empty = RFC 3339, or a bare date at midnight
	zone   *time.Location // of instants that do not carry an offset; nil = UTC
	unix   string         // "s" or "ms": a number since 1970
}

var rfcLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"}

// instant reads an instant that is not before 1970 and at most a day after now.
func (f instantFormat) instant(column, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, reject(column, "is missing")
	}
	at, err := f.parse(s)
	if err != nil {
		if f.unix != "" {
			return time.Time{}, reject(column, "is not a number of %s since 1970", map[string]string{"s": "seconds", "ms": "milliseconds"}[f.unix])
		}
		if f.layout != "" {
			return time.Time{}, reject(column, "does not match the layout %q", f.layout)
		}
		return time.Time{}, reject(column, "is not an RFC 3339 instant such as 2026-03-01T09:30:00Z")
	}
	return at.UTC(), within(column, at, now)
}

func within(column string, at, now time.Time) error {
	if at.Before(earliest) {
		return reject(column, "lies before 1970")
	}
	if at.After(now.Add(future)) {
		return reject(column, "lies more than a day in the future")
	}
	return nil
}

func (f instantFormat) parse(s string) (time.Time, error) {
	zone := f.zone
	if zone == nil {
		zone = time.UTC
	}
	if f.unix != "" {
		n, err := wholeNumber(s)
		if err != nil {
			return time.Time{}, err
		}
		if f.unix == "ms" {
			return time.UnixMilli(n), nil
		}
		return time.Unix(n, 0), nil
	}
	if f.layout != "" {
		return time.ParseInLocation(f.layout, s, zone)
	}
	var first error
	for _, layout := range rfcLayouts {
		at, err := time.ParseInLocation(layout, s, zone)
		if err == nil {
			return at, nil
		}
		if first == nil {
			first = err
		}
	}
	return time.Time{}, first
}
