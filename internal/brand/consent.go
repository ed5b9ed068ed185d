package brand

import (
	"regexp"
	"slices"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

// Topic is something customers hear about and may leave. Journeys and touches
// name it by topic: or by a tag.
type Topic struct {
	ID    string
	Title string // shown on the preference page
	About string // one sentence; may be empty
}

// DoubleOptIn says which consents to a channel count only once they are confirmed
// by the link in a message.
type DoubleOptIn struct {
	All       bool     // whatever the source
	Sources   []string // unless All: of these sources
	Countries []string // where it is asked for; empty = everywhere. An unknown country counts as one of them.
}

// NeedsConfirmation reports whether a consent of this source, by a customer of this
// country, waits for a confirmation. Whoever confirmed already need not again.
func (b *Brand) NeedsConfirmation(c lifecycle.Consent, country string) bool {
	d, asked := b.DoubleOptIn[c.Channel]
	if !asked || c.State != lifecycle.ConsentGranted || !c.ConfirmedAt.IsZero() {
		return false
	}
	if c.Basis == lifecycle.BasisPurchase || c.Basis == lifecycle.BasisInquiry {
		return false // implied: nobody opted in
	}
	where := len(d.Countries) == 0 || country == "" || slices.Contains(d.Countries, country)
	return where && (d.All || slices.Contains(d.Sources, c.Source))
}

// TopicIDs lists the topics' ids; nil when the brand has none.
func (b *Brand) TopicIDs() []string {
	var ids []string
	for _, t := range b.Topics {
		ids = append(ids, t.ID)
	}
	return ids
}

var (
	topicID     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
)

func topics(n yamldoc.Node) []Topic {
	var list []Topic
	seen := map[string]bool{}
	for _, item := range n.Items() {
		f := item.Fields("id", "title", "about")
		t := Topic{ID: f.Get("id").Required("news").Text(), Title: f.Get("title").Required("News").Text(), About: f.Get("about").Text()}
		if v := f.Get("id"); v.Present() && (!topicID.MatchString(t.ID) || seen[t.ID]) {
			v.Fail("topic id %q: use a name of its own with lower-case letters, digits and dashes", t.ID)
		}
		seen[t.ID] = true
		list = append(list, t)
	}
	return list
}

func doubleOptIn(n yamldoc.Node) map[lifecycle.Channel]DoubleOptIn {
	asked := map[lifecycle.Channel]DoubleOptIn{}
	channels(n, func(c lifecycle.Channel, v yamldoc.Node) {
		f := v.Fields("sources", "countries")
		d := DoubleOptIn{Countries: f.Get("countries").Texts()}
		d.Sources = f.Get("sources").Required("[sign-up form], or [all]").Texts()
		d.All = slices.Contains(d.Sources, "all")
		for _, country := range d.Countries {
			if !countryCode.MatchString(country) {
				f.Get("countries").Fail("country %q: write two capital letters (ISO 3166-1), for example DE", country)
			}
		}
		asked[c] = d
	})
	return asked
}
