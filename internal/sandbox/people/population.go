package people

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"touchstone/internal/clock"
	"touchstone/internal/lifecycle"
	"touchstone/internal/sandbox"
	"touchstone/internal/sandbox/draw"
)

// Options describe a population and where its events go.
type Options struct {
	Seed       uint64
	Count      int       // people with a past, default 2,000; 12 % more sign up during the season
	Start      time.Time // first business day of the season; its UTC midnight is used
	Days       int       // length of the season, default 84
	Clock      clock.Clock
	Currency   string            // of orders, default USD
	Offers     []lifecycle.Offer // offers people recognise by their code in a message
	GatewayURL string            // base URL; events go to GatewayURL/v1/batch
	WriteKey   string
	Effect     float64 // multiplies Person.Convert, default 1; 0.001 or less = messages change nothing
	Log        *slog.Logger
}

// Population is the people and what they are about to do.
type Population struct {
	opts    Options
	people  []Person
	byEmail map[string]int
	poster  *poster
	log     *slog.Logger

	mu     sync.Mutex
	lives  []life
	agenda agenda
	truth  map[Kind]*Truth
	upset  float64 // share of messages that are reported as spam whatever they say
}

// Upset makes this share of all further messages be reported as spam, whatever
// they say, as when a list has gone bad; 0 makes people calm again.
func (p *Population) Upset(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upset = share
}

// life is the changing part of a person.
type life struct {
	next     int         // next day whose organic acts are not on the agenda
	messages int         // delivered so far
	recent   []time.Time // deliveries of the last seven days
	leftAt   time.Time   // of a one-click unsubscribe
	cart     act         // the last cart, zero when completed
}

// entry is one act on the agenda.
type entry struct {
	act    act
	person int
	order  uint64
	url    string // of actUnsubscribe
	roll   bool   // no act: put the person's next organic day on the agenda
}

// agenda is a heap, earliest first.
type agenda []entry

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].act.at.Equal(a[j].act.at) {
		return a[i].act.at.Before(a[j].act.at)
	}
	if a[i].person != a[j].person {
		return a[i].person < a[j].person
	}
	return a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = entry{}
	*a = old[:len(old)-1]
	return x
}

// New draws the population. It fails when a time zone of the model is not on
// this machine.
func New(opts Options) (*Population, error) {
	if opts.Count <= 0 {
		opts.Count = 2000
	}
	if opts.Days <= 0 {
		opts.Days = 84
	}
	if opts.Currency == "" {
		opts.Currency = "USD"
	}
	if opts.Effect == 0 {
		opts.Effect = 1
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Start = opts.Start.UTC().Truncate(day)
	zones := map[string]*time.Location{}
	for _, p := range places {
		loc, err := time.LoadLocation(p.zone)
		if err != nil {
			return nil, fmt.Errorf("time zone of the simulated customers: %w", err)
		}
		zones[p.zone] = loc
	}
	pop := &Population{opts: opts, byEmail: map[string]int{}, log: opts.Log, truth: map[Kind]*Truth{}}
	for _, k := range Kinds {
		pop.truth[k] = &Truth{Kind: k}
	}
	newcomers := opts.Count * 12 / 100
	for i := range opts.Count + newcomers {
		kind := Newcomer
		if i < opts.Count {
			kind = kindAt(float64(i) / float64(opts.Count))
		}
		p := newPerson(opts.Seed, i, kind, opts.Start, opts.Days, zones)
		p.Convert = min(mostConvert, p.Convert*opts.Effect)
		pop.byEmail[p.Email] = i
		pop.people = append(pop.people, p)
	}
	pop.lives = make([]life, len(pop.people))
	for i := range pop.people {
		pop.roll(i)
	}
	pop.poster = newPoster(opts.GatewayURL, opts.WriteKey, opts.Log)
	return pop, nil
}

// kindAt cuts the population by the kinds' shares.
func kindAt(u float64) Kind {
	for _, k := range Kinds {
		if u -= tempers[k].share; u < 0 {
			return k
		}
	}
	return Prospect
}

// People lists everybody, newcomers last. The caller must not change it.
func (p *Population) People() []Person { return p.people }

// Person finds a person by e-mail address.
func (p *Population) Person(email string) (Person, bool) {
	i, ok := p.byEmail[strings.ToLower(email)]
	if !ok {
		return Person{}, false
	}
	return p.people[i], true
}

// roll puts the person's next eventful day on the agenda, and a marker after
// it; the caller holds the lock (or nobody else knows the population yet).
func (p *Population) roll(i int) {
	l := &p.lives[i]
	for l.next < p.opts.Days {
		number := l.next
		l.next++
		acts := p.people[i].daily(p.opts.Seed, p.opts.Start, number)
		if len(acts) == 0 {
			continue
		}
		for n, a := range acts {
			heap.Push(&p.agenda, entry{act: a, person: i, order: uint64(number)<<8 | uint64(n)})
		}
		at := p.opts.Start.Add(time.Duration(number) * day) // the next day's acts may come before this day's returns
		heap.Push(&p.agenda, entry{act: act{at: at}, person: i, roll: true})
		return
	}
}

// Run lets people act until the context ends; it returns nil then. Events not
// yet posted are posted while the context lives.
func (p *Population) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.poster.run(ctx)
	}()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		p.act(p.opts.Clock.Now())
		select {
		case <-ctx.Done():
			<-done
			return nil
		case <-ticker.C:
		}
	}
}

// act does everything due at now.
func (p *Population) act(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.agenda) > 0 && !p.agenda[0].act.at.After(now) {
		e := heap.Pop(&p.agenda).(entry)
		if e.roll {
			p.roll(e.person)
			continue
		}
		p.perform(e)
	}
}

// perform does one act and posts its events.
func (p *Population) perform(e entry) {
	person, l := &p.people[e.person], &p.lives[e.person]
	switch e.act.kind {
	case actCart:
		l.cart = e.act
	case actOrder:
		if l.cart.cart == e.act.cart {
			l.cart = act{}
		}
	case actUnsubscribe:
		l.leftAt = e.act.at
		p.poster.unsubscribe(e.url)
		return
	}
	p.poster.add(p.events(person, e.act)...)
}

// OnDelivered is the person's answer to a message; it plugs into
// sandbox.Options. Orders and one-click unsubscribes go on the agenda, opens,
// clicks and complaints are returned for the vendor to report.
func (p *Population) OnDelivered(d sandbox.Delivered) []sandbox.Reaction {
	i, known := p.byEmail[strings.ToLower(d.To)]
	if !known {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	person, l := &p.people[i], &p.lives[i]
	in, offer := p.situation(i, d)
	n := l.messages
	l.messages++
	l.recent = append(l.recent, d.At)
	r := person.Reply(p.opts.Seed, n, in)
	anger := draw.Of(p.opts.Seed, draw.Text("upset"), uint64(i), uint64(n))
	r.Complain = r.Complain || anger.Bool(p.upset)
	value, basket := r.Value, r.Goods
	a := act{at: d.At.Add(r.OrderAfter), kind: actOrder, order: fmt.Sprintf("OM%s-%d", person.ExternalID, n), cause: d.TouchID}
	if in.Cart {
		value, basket, a.cart = l.cart.value, l.cart.goods, l.cart.cart
	}
	a.value, a.goods = value, basket
	if offer.Code != "" {
		a.coupon = offer.Code
		a.off = offer.Cost(lifecycle.Money{Amount: value, Currency: p.opts.Currency}).Amount
	}
	p.truth[person.Kind].book(person, in, offer, r, a, l.cart)
	if r.Order {
		if in.Cart {
			l.cart.later = true // recovered: further messages cannot recover it again
		}
		heap.Push(&p.agenda, entry{act: a, person: i, order: 1<<40 | uint64(n)<<1})
	}
	if r.Unsubscribe && d.UnsubscribeURL != "" && l.leftAt.IsZero() {
		heap.Push(&p.agenda, entry{act: act{at: d.At.Add(r.LeaveAt), kind: actUnsubscribe}, person: i, order: 1<<40 | uint64(n)<<1 | 1, url: d.UnsubscribeURL})
	}
	return reactions(person, r, d)
}

// situation reads the person's state at a delivery; the caller holds the lock.
func (p *Population) situation(i int, d sandbox.Delivered) (Situation, lifecycle.Offer) {
	person, l := &p.people[i], &p.lives[i]
	recent := l.recent[:0]
	for _, at := range l.recent {
		if at.After(d.At.Add(-7 * day)) {
			recent = append(recent, at)
		}
	}
	l.recent = recent
	in := Situation{Week: len(recent), OptedOut: !l.leftAt.IsZero() && d.At.After(l.leftAt.Add(honourWithin))}
	if l.cart.cart != "" && d.At.Sub(l.cart.at) < 14*day {
		in.Cart, in.CartLater = !l.cart.later, l.cart.later
	}
	offer, _ := shows(p.opts.Offers, d.Subject, d.HTML, d.Text)
	if offer.Code != "" {
		in.Share = given(offer, int64(100*person.MeanOrder()))
	}
	return in, offer
}

// honourWithin is how long people forgive messages after they unsubscribed:
// the two days that mailbox providers ask for.
const honourWithin = 2 * day

// Mail clients people use.
const (
	proxyAgent = "Mozilla/5.0"
	humanAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
)

func reactions(person *Person, r Reply, d sandbox.Delivered) []sandbox.Reaction {
	var out []sandbox.Reaction
	if person.MachineOpen {
		out = append(out, sandbox.Reaction{Kind: sandbox.Open, After: r.MachineAfter, Machine: true, UserAgent: proxyAgent, IP: "192.0.2.10"})
	}
	if r.Open {
		out = append(out, sandbox.Reaction{Kind: sandbox.Open, After: r.OpenAfter, UserAgent: humanAgent, IP: "198.51.100.7"})
	}
	if r.Click && len(d.Links) > 0 {
		out = append(out, sandbox.Reaction{Kind: sandbox.Click, After: r.ClickAfter, URL: d.Links[0], UserAgent: humanAgent, IP: "198.51.100.7"})
	}
	if r.Complain {
		out = append(out, sandbox.Reaction{Kind: sandbox.SpamReport, After: r.LeaveAt + time.Minute})
	}
	return out
}
