package sandbox

import (
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// letter is one accepted message to one recipient.
type letter struct {
	number     uint64 // position among all letters
	messageID  string // X-Message-Id
	at, due    time.Time
	from, to   address
	replyTo    string
	subject    string
	html, text string
	headers    map[string]string
	categories []string
	args       map[string]string
	touch      string
	group      int // unsubscribe group, 0 = none
	opens      bool
	clicks     bool
	bypass     bool
	counts     bool // counts as an acceptance of its touch
	evicted    bool // not in the mailbox any more: the bodies are gone
	events     []event
}

// record is what is kept of every letter for good: enough for Email Activity.
type record struct {
	to      string
	from    string // interned
	last    int64  // unix seconds of the last event
	first   uint32 // number of the request's first letter
	next    uint32 // number+1 of an earlier letter of the same touch, 0 = none
	opens   uint16
	clicks  uint16
	outcome outcome
}

type outcome uint8

const (
	processing outcome = iota
	delivered
	notDelivered
)

func (o outcome) String() string {
	return [...]string{"processed", "delivered", "not_delivered"}[o]
}

type touchKey [16]byte

type touchCount struct {
	accepted uint32
	latest   uint32 // number of the latest letter
}

// outbox holds what was accepted: counts of all touches, records of all
// letters, the bodies of the newest ones, and what is due next.
type outbox struct {
	mu         sync.Mutex
	keep       int
	ring       []*letter
	records    []record
	names      map[string]string // interned senders
	touches    map[touchKey]touchCount
	spelled    map[touchKey]string // touch ids that are not canonical UUIDs
	accepted   int                 // acceptances with or without a touch id
	repeated   int                 // touches accepted more than once
	suppressed map[string]string   // lower-case address to drop reason
	schedule   schedule
	pushed     uint64
	tally      map[string]int // events by kind
}

func newOutbox(keep int) *outbox {
	return &outbox{
		keep: keep, names: map[string]string{}, touches: map[touchKey]touchCount{}, spelled: map[touchKey]string{},
		suppressed: map[string]string{}, tally: map[string]int{},
	}
}

// accept numbers, counts and schedules the letters of one request.
func (o *outbox) accept(letters []*letter, delay time.Duration, bodiesNeeded bool, id func(uint64) string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := uint64(len(o.records))
	messageID := id(first)
	for _, l := range letters {
		l.number, l.messageID = uint64(len(o.records)), messageID
		r := record{to: l.to.Email, from: o.intern(l.from.Email), last: l.at.Unix(), first: uint32(first)}
		if l.touch != "" {
			r.next = o.count(l)
		}
		if l.counts {
			o.accepted++
		}
		o.records = append(o.records, r)
		if len(o.ring) < o.keep {
			o.ring = append(o.ring, l)
		} else {
			slot := l.number % uint64(o.keep)
			o.ring[slot].evict(bodiesNeeded)
			o.ring[slot] = l
		}
		o.push(due{at: l.due.Add(delay / 2), step: stepProcess, letter: l})
	}
	return messageID
}

func (o *outbox) intern(s string) string {
	if known, ok := o.names[s]; ok {
		return known
	}
	o.names[s] = s
	return s
}

// count books the letter under its touch and returns number+1 of the previous
// letter of that touch.
func (o *outbox) count(l *letter) uint32 {
	key, canonical := keyOf(l.touch)
	if !canonical {
		o.spelled[key] = l.touch
	}
	t, known := o.touches[key]
	previous := uint32(0)
	if known {
		previous = t.latest + 1
	}
	if l.counts {
		if t.accepted++; t.accepted == 2 {
			o.repeated++
		}
	}
	t.latest = uint32(l.number)
	o.touches[key] = t
	return previous
}

// evict forgets the bodies once nothing will read them.
func (l *letter) evict(bodiesNeeded bool) {
	l.evicted = true
	l.events = nil
	if !bodiesNeeded {
		l.html, l.text, l.headers = "", "", nil
	}
}

// keyOf packs a canonical UUID; anything else is hashed.
func keyOf(touch string) (touchKey, bool) {
	var key touchKey
	if len(touch) == 36 && touch[8] == '-' && touch[13] == '-' && touch[18] == '-' && touch[23] == '-' && touch == strings.ToLower(touch) {
		raw := touch[:8] + touch[9:13] + touch[14:18] + touch[19:23] + touch[24:]
		if _, err := hex.Decode(key[:], []byte(raw)); err == nil {
			return key, true
		}
	}
	sum := sha256.Sum256([]byte(touch))
	copy(key[:], sum[:])
	return key, false
}

func (o *outbox) spelling(key touchKey) string {
	if s, ok := o.spelled[key]; ok {
		return s
	}
	h := hex.EncodeToString(key[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Duplicates lists the touch ids that were accepted more than once, sorted.
func (s *Server) Duplicates() []string {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	out := []string{}
	if s.outbox.repeated == 0 {
		return out
	}
	for key, t := range s.outbox.touches {
		if t.accepted > 1 {
			out = append(out, s.outbox.spelling(key))
		}
	}
	slices.Sort(out)
	return out
}

// Accepted is how many messages were accepted for delivery: one for every
// personalization of every mail/send that was not answered with an error.
func (s *Server) Accepted() int {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.outbox.accepted
}

// AcceptedTouch is how often a message with this touch id was accepted.
func (s *Server) AcceptedTouch(touch string) int {
	key, _ := keyOf(touch)
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return int(s.outbox.touches[key].accepted)
}

// mark books an event on the letter and its record.
func (o *outbox) mark(e event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tally[e.kind]++
	r := &o.records[e.letter.number]
	r.last = e.at.Unix()
	switch e.kind {
	case "delivered":
		r.outcome = delivered
	case "bounce", "dropped":
		r.outcome = notDelivered
	case "open":
		r.opens += min(1, math.MaxUint16-r.opens)
	case "click":
		r.clicks += min(1, math.MaxUint16-r.clicks)
	}
	if !e.letter.evicted {
		e.letter.events = append(e.letter.events, e)
	}
}

// step is what happens to a letter next.
type step uint8

const (
	stepProcess step = iota
	stepDeliver
	stepRetry // deliver after a deferral
	stepReact
)

type due struct {
	at       time.Time
	order    uint64
	step     step
	letter   *letter
	reaction *Reaction
}

// schedule is a heap of what is due, earliest first, ties in order of arrival.
type schedule []due

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	if !s[i].at.Equal(s[j].at) {
		return s[i].at.Before(s[j].at)
	}
	return s[i].order < s[j].order
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(due)) }
func (s *schedule) Pop() any {
	old := *s
	x := old[len(old)-1]
	old[len(old)-1] = due{}
	*s = old[:len(old)-1]
	return x
}

// push schedules; the caller holds the lock.
func (o *outbox) push(d due) {
	o.pushed++
	d.order = o.pushed
	heap.Push(&o.schedule, d)
}

func (o *outbox) later(all ...due) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range all {
		o.push(d)
	}
}

// popDue takes up to limit items due at now.
func (o *outbox) popDue(now time.Time, limit int) []due {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []due
	for len(out) < limit && len(o.schedule) > 0 && !o.schedule[0].at.After(now) {
		out = append(out, heap.Pop(&o.schedule).(due))
	}
	return out
}
