package guardrails

import (
	_ "embed"
	"fmt"
	"maps"
	"sort"
	"time"

	"touchstone/internal/lifecycle"
)

//go:embed policy.yaml
var defaultPolicySource []byte

// DefaultPolicySource is the shipped policy file, for people to copy.
func DefaultPolicySource() []byte { return append([]byte(nil), defaultPolicySource...) }

// DefaultPolicy is the shipped policy with conservative caps.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy("policy.yaml", defaultPolicySource)
	if err != nil {
		panic("guardrails: the shipped policy is tested to be valid: " + err.Error())
	}
	return p
}

// Policy is the numbers behind the rules, immutable once parsed and safe for
// concurrent use. ParsePolicy makes one.
type Policy struct {
	Version      string // "2026-11", with changes in force "2026-11/3"
	Consent      ConsentPolicy
	Caps         []Cap
	Hours        map[lifecycle.Channel]Hours // channels not listed: any time
	Duplicates   DuplicatePolicy
	Length       LengthPolicy
	Spam         SpamPolicy
	Tone         TonePolicy
	Review       ReviewPolicy
	PauseRecheck time.Duration // how long a touch held by a pause waits before it asks again

	timeline []dated
	cache    *zoneCache
}

// ConsentPolicy says which channels need consent and how old it may be.
type ConsentPolicy struct {
	Exempt []lifecycle.Channel
	MaxAge map[lifecycle.Channel]time.Duration // absent = any age
}

// DuplicatePolicy says how long the same thing is not said again; 0 = no limit.
type DuplicatePolicy struct{ Content, Slot time.Duration }

// LengthPolicy is in characters; above Note is noted, above Review asks a person.
type LengthPolicy struct{ SubjectNote, SubjectReview, PreheaderNote, PreheaderReview int }

// SpamPolicy is in points of the spam score.
type SpamPolicy struct{ Review, Block float64 }

// TonePolicy limits the share of capital letters in [0,1] and the
// Flesch-Kincaid grade of the text.
type TonePolicy struct{ Capitals, Grade float64 }

// ReviewPolicy says which touches a person looks at whatever the copy is.
type ReviewPolicy struct {
	Share float64  // of all marketing touches, in [0,1]
	Tags  []string // every touch with one of these
}

// Cap limits the marketing touches of one customer. A touch counts against
// every cap it matches.
type Cap struct {
	Name     string
	Channel  lifecycle.Channel // empty = every channel
	Tag      string            // empty = every touch
	Limit    *int              // nil = no limit, 0 = never
	Per      time.Duration     // rolling window; unused with Calendar
	Calendar string            // "day", "week" (from Monday) or "month" in the customer's zone
	Drop     bool              // over the cap: block instead of deferring

	KeepForPriority int // slots kept for touches of at least PriorityFrom
	PriorityFrom    int
}

// dated is the policy from an instant on.
type dated struct {
	at     time.Time
	policy *Policy
	change Change
}

// Change is a dated change of the policy.
type Change struct {
	At      time.Time
	Relaxes bool // otherwise it tightens
	Reason  string
	Version string // in force from At
}

// At returns the policy in force at t. It may be asked of any policy of the
// same file.
func (p *Policy) At(t time.Time) *Policy {
	if len(p.timeline) == 0 {
		return p
	}
	i := sort.Search(len(p.timeline), func(i int) bool { return p.timeline[i].at.After(t) })
	return p.timeline[max(i-1, 0)].policy
}

// Changes lists the dated changes in order.
func (p *Policy) Changes() []Change {
	var list []Change
	for i, d := range p.timeline {
		if i > 0 {
			list = append(list, d.change)
		}
	}
	return list
}

// clone is a copy without a timeline whose fields can be changed freely.
func (p *Policy) clone() *Policy {
	c := *p
	c.timeline = nil
	c.Consent.MaxAge = maps.Clone(p.Consent.MaxAge)
	c.Consent.Exempt = append([]lifecycle.Channel(nil), p.Consent.Exempt...)
	c.Hours = maps.Clone(p.Hours)
	c.Review.Tags = append([]string(nil), p.Review.Tags...)
	c.Caps = append([]Cap(nil), p.Caps...)
	for i, cap := range c.Caps {
		if cap.Limit != nil {
			limit := *cap.Limit
			c.Caps[i].Limit = &limit
		}
	}
	return &c
}

// validate returns what is contradictory in the policy as a whole, "" for nothing.
func (p *Policy) validate() string {
	if p.Spam.Review > p.Spam.Block {
		return fmt.Sprintf("spam review %v is above block %v: a person would never be asked", p.Spam.Review, p.Spam.Block)
	}
	for _, c := range p.Caps {
		if c.Limit != nil && *c.Limit > 0 && c.KeepForPriority >= *c.Limit {
			return fmt.Sprintf("cap %s keeps %d of %d slots: nothing is left for other touches; keep fewer", c.Name, c.KeepForPriority, *c.Limit)
		}
	}
	return ""
}
