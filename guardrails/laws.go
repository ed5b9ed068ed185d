package guardrails

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

//go:embed laws.yaml
var lawsSource []byte

// Provision is a row of the catalogue of laws: what a law asks of messages, where
// and on which channels, and which guardrail holds it.
type Provision struct {
	ID           string
	Jurisdiction string // "US", "US-FL", "CA", "EU", "GB", "AU"
	Countries    []string
	Region       string // of the country; empty = all of it
	Channels     []lifecycle.Channel
	Classes      []lifecycle.MessageClass
	Asks         string            // in a sentence
	Permits      []lifecycle.Basis // bases of consent that satisfy it; empty = it is not about the basis
	Within       int               // months after the consent; 0 = any time
	Hours        *Hours            // in which messages may go out; nil = not about hours
	PerDay       int               // messages in 24 hours; 0 = it does not count
	Verdict      lifecycle.Outcome // on what it forbids
	Cite         string
	Version      string    // of the catalogue
	Effective    time.Time // from when it binds; zero = not verified, taken as always
	EnforcedBy   string    // the guardrail
	Examples     []LawExample
}

// LawExample is a touch that the guardrail of a provision must judge as Want. It
// changes a touch on the provision's first channel that every guardrail allows.
type LawExample struct {
	Name    string
	Country string // "none" = unknown
	Class   lifecycle.MessageClass
	State   lifecycle.ConsentState
	Basis   lifecycle.Basis
	Wording bool   // the wording is on file
	Age     int    // of the consent, in days
	Lacks   string // address or unsubscribe
	Want    lifecycle.Outcome
}

// CatalogueVersion is the version of the catalogue of laws.
func CatalogueVersion() string { return laws().version }

// Provisions returns the catalogue of laws in its order.
func Provisions() []Provision { return append([]Provision(nil), laws().all...) }

// lawbook is the parsed catalogue.
type lawbook struct {
	version string
	all     []Provision
	known   map[string]bool // countries with rows about the basis of consent
}

var laws = sync.OnceValue(func() *lawbook {
	book, err := parseLaws("laws.yaml", lawsSource)
	if err != nil {
		panic("guardrails: the shipped catalogue of laws is tested to be valid: " + err.Error())
	}
	return book
})

// parseLaws reads a catalogue. The error is Invalid and lists every mistake.
func parseLaws(file string, source []byte) (*lawbook, error) {
	doc, err := yamldoc.Parse(file, source)
	if err != nil {
		return nil, err
	}
	f := doc.Root().Fields("version", "provisions")
	book := &lawbook{version: f.Get("version").Required("2026-11").Text(), known: map[string]bool{}}
	seen := map[string]bool{}
	for _, item := range f.Get("provisions").Items() {
		p := provision(item)
		if p.Version = book.version; seen[p.ID] {
			item.Fail("id %q is used twice: choose another", p.ID)
		}
		seen[p.ID] = true
		book.all = append(book.all, p)
		for _, country := range p.Countries {
			book.known[country] = book.known[country] || len(p.Permits) > 0
		}
	}
	book.all = append(book.all, hoursOfLaw()...)
	return book, doc.Err()
}

func provision(item yamldoc.Node) Provision {
	f := item.Fields("id", "jurisdiction", "countries", "channels", "asks", "permits", "within", "cite", "effective", "enforced_by", "examples")
	p := Provision{
		ID:           f.Get("id").Required("eu-eprivacy-consent").Text(),
		Jurisdiction: f.Get("jurisdiction").Required("EU").Text(),
		Countries:    f.Get("countries").Required("[DE]").Texts(),
		Classes:      []lifecycle.MessageClass{lifecycle.Marketing},
		Asks:         f.Get("asks").Required("what the law asks for").Text(),
		Within:       f.Get("within").Int(1, 120),
		Verdict:      lifecycle.Block,
		Cite:         f.Get("cite").Required("GDPR Art. 7").Text(),
		Effective:    instant(f.Get("effective").Required("2018-05-25")),
		EnforcedBy:   f.Get("enforced_by").Required("consent-regime").Text(),
	}
	for _, c := range f.Get("channels").Required("[email]").Items() {
		channel, err := lifecycle.ParseChannel(c.Text())
		if err != nil {
			c.Fail("%v", err)
		}
		p.Channels = append(p.Channels, channel)
	}
	for _, b := range f.Get("permits").Items() {
		basis, err := lifecycle.ParseBasis(b.Text())
		if err != nil {
			b.Fail("%v", err)
		}
		p.Permits = append(p.Permits, basis)
	}
	for _, e := range f.Get("examples").Items() {
		p.Examples = append(p.Examples, lawExample(e))
	}
	return p
}

func lawExample(n yamldoc.Node) LawExample {
	f := n.Fields("name", "country", "class", "state", "basis", "wording", "age", "lacks", "want")
	return LawExample{
		Name: f.Get("name").Required("opted in").Text(), Country: f.Get("country").Required("DE").Text(),
		Class: lifecycle.MessageClass(f.Get("class").Text()), State: lifecycle.ConsentState(f.Get("state").Text()),
		Basis: lifecycle.Basis(f.Get("basis").Text()), Wording: f.Get("wording").Text() == "true",
		Age: f.Get("age").Int(0, 36500), Lacks: f.Get("lacks").Text(), Want: lifecycle.Outcome(f.Get("want").Required("allow").Text()),
	}
}

// hoursOfLaw lists the table of legal hours as provisions.
func hoursOfLaw() []Provision {
	var list []Provision
	for _, j := range law {
		p := Provision{
			ID: strings.ToLower(j.Name) + "-hours", Jurisdiction: j.Name, Countries: []string{j.Country}, Region: j.Region,
			Channels: []lifecycle.Channel{lifecycle.SMS}, Classes: []lifecycle.MessageClass{lifecycle.Marketing},
			Asks:  "Marketing texts go out within " + j.Hours.String() + " on the recipient's clock.",
			Hours: &j.Hours, Verdict: lifecycle.Defer, Cite: j.Cite, Version: LawVersion, EnforcedBy: quietHoursRule.Name,
		}
		list = append(list, p)
		if j.PerDay > 0 {
			p.ID, p.Hours, p.PerDay, p.EnforcedBy = strings.ToLower(j.Name)+"-per-day", nil, j.PerDay, frequencyCapRule.Name
			p.Asks = "At most " + strconv.Itoa(j.PerDay) + " marketing texts in 24 hours."
			list = append(list, p)
		}
	}
	return list
}

// binds reports whether the provision is about this touch. Where the customer's
// country is unknown, or has no rows, the rows of every country are.
func (p *Provision) binds(t Touch) bool {
	if !t.marketing() || !slices.Contains(p.Channels, t.Channel) || t.At.Before(p.Effective) {
		return false
	}
	c := t.Customer.Customer
	if p.Region != "" {
		return slices.Contains(p.Countries, c.Country) && p.Region == c.Region
	}
	return slices.Contains(p.Countries, c.Country) || len(p.Permits) > 0 && !laws().known[c.Country]
}

// law is how a finding names the provision.
func (p *Provision) law() *lifecycle.Law {
	return &lifecycle.Law{ID: p.ID, Cite: p.Cite, Version: p.Version}
}

// behind returns the provision that a finding of a guardrail holds; nil for none.
func behind(f lifecycle.Finding, t Touch) *lifecycle.Law {
	for i := range laws().all {
		p := &laws().all[i]
		if p.EnforcedBy != f.Rule || !p.binds(t) {
			continue
		}
		if p.Hours != nil && p.Hours.String() != f.Limit || p.PerDay > 0 && f.Limit != strconv.Itoa(p.PerDay)+" per "+clock.FormatDuration(24*time.Hour) {
			continue // it is another row, or the policy, that objects
		}
		return p.law()
	}
	return nil
}
