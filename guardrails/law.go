package guardrails

import (
	"time"

	"touchstone/internal/lifecycle"
)

// LawVersion names the state of the table below: what was compiled when.
const LawVersion = "us-2026-11"

// jurisdiction is what one law says about marketing texts: hours in the
// recipient's local time and, where the law counts, messages per 24 hours.
// Engineering input, not legal advice. Only rows whose statute was seen or
// which two independent sources confirm; their holidays need no calendar.
type jurisdiction struct {
	Name    string // "US", "US-FL"
	Country string
	Region  string // empty = the whole country
	Hours   Hours
	PerDay  int // 0 = the law does not count
	Cite    string
}

var law = []jurisdiction{
	{"US", "US", "", everyDay(8, 21), 0, "47 CFR 64.1200(c)(1)"},
	{"US-CT", "US", "CT", everyDay(9, 20), 0, "Conn. Gen. Stat. 42-288a"},
	{"US-FL", "US", "FL", everyDay(8, 20), 3, "Fla. Stat. 501.059 and 501.616(6)"},
	{"US-MD", "US", "MD", everyDay(8, 20), 3, "Md. Com. Law 14-4502(c)"},
	{"US-OK", "US", "OK", everyDay(8, 20), 3, "15 O.S. 775C.4(A)"},
	{"US-TX", "US", "TX", everyDay(9, 21).on(time.Sunday, 12, 21), 0, "Tex. Bus. & Com. Code 301.051"},
	{"US-WA", "US", "WA", everyDay(8, 20), 0, "RCW 19.158.040(2)"},
}

// candidateZones are the zones a customer of a country may live in when the
// own zone is unknown; all of them must allow the instant. Other countries, and
// no country, count as the brand's zone.
var candidateZones = map[string][]string{
	"US": {"America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"},
	"CA": {"America/St_Johns", "America/Halifax", "America/Toronto", "America/Winnipeg", "America/Regina", "America/Edmonton", "America/Vancouver"},
	"AU": {"Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Darwin", "Australia/Perth"},
}

// jurisdictions returns the laws that apply to a marketing text to this
// customer, and false when it is not known which do: the country is missing,
// or the state where states differ.
func jurisdictions(c lifecycle.Customer) (rows []jurisdiction, known bool) {
	known = c.Country != "" && (c.Country != "US" || c.Region != "")
	for _, j := range law {
		if j.Country == c.Country && (j.Region == "" || j.Region == c.Region) {
			rows = append(rows, j)
		}
	}
	return rows, known
}
