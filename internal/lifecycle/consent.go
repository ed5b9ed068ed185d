package lifecycle

import (
	"slices"
	"time"
)

// ConsentState says whether a customer agreed to be written to on a channel.
type ConsentState string

// Consent states. Absence of a record is ConsentUnknown. Only ConsentGranted is
// a yes: a pending consent waits for the customer's confirmation (double opt-in).
const (
	ConsentUnknown   ConsentState = "unknown"
	ConsentPending   ConsentState = "pending"
	ConsentGranted   ConsentState = "granted"
	ConsentWithdrawn ConsentState = "withdrawn"
)

// Basis says what a consent rests on. The laws differ in which of these they
// accept for marketing, and for how long.
type Basis string

// The bases of consent. An empty basis means BasisExpress.
const (
	BasisExpress  Basis = "express"  // the customer opted in
	BasisWritten  Basis = "written"  // opted in to a text that names the sender and the number (47 CFR 64.1200(f)(9))
	BasisPurchase Basis = "purchase" // implied: bought, and was offered to refuse at that moment and in every message
	BasisInquiry  Basis = "inquiry"  // implied: asked about buying, and was offered to refuse
)

// Bases lists the bases, the strongest first.
var Bases = []Basis{BasisWritten, BasisExpress, BasisPurchase, BasisInquiry}

// ParseBasis returns the basis named s, or an Invalid error with the known
// names; empty means BasisExpress.
func ParseBasis(s string) (Basis, error) {
	if s == "" {
		return BasisExpress, nil
	}
	if slices.Contains(Bases, Basis(s)) {
		return Basis(s), nil
	}
	return "", Errorf(Invalid, "unknown basis %q: use one of %v", s, Bases)
}

// Consent is a statement of a customer about one channel, with its proof
// (GDPR Art. 7(1)): wording, form, IP and user agent. Proof is personal: it goes to
// the store and to people who ask for it, never into logs or histories.
type Consent struct {
	Channel Channel
	State   ConsentState
	Basis   Basis
	At      time.Time
	Source  string // where it was given: "checkout", "import", "one-click"

	Wording     string // the sentence shown
	Form        string // version of the form or privacy policy that showed it
	IP          string
	UserAgent   string
	ConfirmedAt time.Time // when a double opt-in was confirmed; zero = it was not
}

// Rests is the basis of the consent. An express consent whose exact wording is
// on file counts as written: the text says what was agreed to.
func (c Consent) Rests() Basis {
	switch {
	case c.Basis == BasisExpress || c.Basis == "":
		if c.Wording != "" {
			return BasisWritten
		}
		return BasisExpress
	}
	return c.Basis
}

// ConsentRecord is one entry of the consent history: a statement about a
// channel, a topic or the frequency. The history is append-only.
type ConsentRecord struct {
	ID         int64
	Customer   CustomerID
	Subject    string // a channel, "topic/<id>" or "frequency"
	State      string // a ConsentState, "joined" or "left", or a Frequency
	Basis      Basis  // of channels
	At         time.Time
	RecordedAt time.Time // real time
	Source     string

	Wording     string
	Form        string
	IP          string
	UserAgent   string
	ConfirmedAt time.Time
}

// Frequency is how often a customer wants marketing at most.
type Frequency string

// Frequencies. The empty one leaves it to the brand's caps.
const (
	Unreduced     Frequency = ""
	AtMostWeekly  Frequency = "weekly"  // one message in 7 days
	AtMostMonthly Frequency = "monthly" // one message in 30 days
)

// Frequencies lists what a customer can choose from.
var Frequencies = []Frequency{Unreduced, AtMostWeekly, AtMostMonthly}

// Per is the window in which there is at most one message; 0 = no limit.
func (f Frequency) Per() time.Duration {
	switch f {
	case AtMostWeekly:
		return 7 * 24 * time.Hour
	case AtMostMonthly:
		return 30 * 24 * time.Hour
	}
	return 0
}

// Wishes are what a customer asked for besides consents: topics to hear no more
// about, and fewer messages.
type Wishes struct {
	Left      []string // topics
	Frequency Frequency
}

// HasLeft returns the first of these tags that is a topic the customer left.
func (w Wishes) HasLeft(tags []string) (topic string, left bool) {
	for _, tag := range tags {
		if slices.Contains(w.Left, tag) {
			return tag, true
		}
	}
	return "", false
}
