package people

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"

	"touchstone/internal/sandbox/draw"
)

const day = 24 * time.Hour

// Kind is the sort of customer a person is at the start of the season.
type Kind string

// Kinds of people, with their share of the population. Lapsed people bought in
// the past and stopped 100 to 330 days before the start; prospects signed up
// and never bought; newcomers sign up during the season.
const (
	Loyal      Kind = "loyal"      // 12 %
	Regular    Kind = "regular"    // 26 %
	Occasional Kind = "occasional" // 20 %
	Lapsed     Kind = "lapsed"     // 32 %
	Prospect   Kind = "prospect"   // 10 %
	Newcomer   Kind = "newcomer"   // on top of the population
)

// Kinds lists them.
var Kinds = []Kind{Loyal, Regular, Occasional, Lapsed, Prospect, Newcomer}

// temper is what the people of a kind have in common.
type temper struct {
	share       float64
	orderEvery  float64 // mean days between orders while they buy
	after       float64 // mean days between orders once they stopped
	open        float64 // median probability that a person opens a message
	click       float64 // of clicking when opened
	convert     float64 // of buying when clicked, without an offer: the message's effect
	sensitivity float64 // convert is multiplied by 1 + sensitivity * offered share / 10 %
}

var tempers = map[Kind]temper{
	Loyal:      {share: 0.12, orderEvery: 24, after: 400, open: 0.50, click: 0.30, convert: 0.08, sensitivity: 0.3},
	Regular:    {share: 0.26, orderEvery: 45, after: 500, open: 0.42, click: 0.26, convert: 0.14, sensitivity: 0.7},
	Occasional: {share: 0.20, orderEvery: 90, after: 900, open: 0.36, click: 0.24, convert: 0.16, sensitivity: 0.9},
	Lapsed:     {share: 0.32, orderEvery: 50, after: 1500, open: 0.34, click: 0.24, convert: 0.22, sensitivity: 1.1},
	Prospect:   {share: 0.10, orderEvery: 220, after: 1500, open: 0.40, click: 0.26, convert: 0.14, sensitivity: 1.0},
	Newcomer:   {orderEvery: 70, after: 900, open: 0.52, click: 0.30, convert: 0.18, sensitivity: 0.8},
}

// Person is one simulated customer. All probabilities are in [0,1]; see the
// package comment for how they act together.
type Person struct {
	Index      int
	ExternalID string
	Kind       Kind
	Email      string
	FirstName  string
	LastName   string
	Phone      string // E.164, may be empty
	Country    string
	Region     string
	TimeZone   string // IANA
	Consent    string // e-mail: granted, withdrawn or unknown
	CreatedAt  time.Time
	StopsAt    time.Time // when the person stops buying of their own accord

	OrderEvery  float64 // mean days between orders before StopsAt
	OrderAfter  float64 // mean days between orders after StopsAt
	OrderMedian float64 // of an order's value, in major units; values are log-normal
	OrderSigma  float64
	CartEvery   float64 // mean days between carts that are abandoned
	CartReturn  float64 // of an abandoned cart being completed without any message
	VisitEvery  float64 // mean days between visits without a cart
	Hour        float64 // local hour around which the person is active

	Open        float64 // P(open) of an unhurried message
	Click       float64 // P(click | open)
	Convert     float64 // P(order because of the message | click), without an offer
	Sensitivity float64 // Convert grows by this share per 10 % given away
	MachineOpen bool    // the mail client opens everything itself
	Unsubscribe float64 // hazard per message, grows with messages per week
	Complain    float64 // likewise

	location *time.Location
}

// place is where people live.
type place struct {
	country, region, zone, area string
	weight                      float64
}

var places = []place{
	{"US", "NY", "America/New_York", "212", 10}, {"US", "FL", "America/New_York", "305", 8}, {"US", "GA", "America/New_York", "404", 4},
	{"US", "PA", "America/New_York", "215", 5}, {"US", "TX", "America/Chicago", "512", 10}, {"US", "IL", "America/Chicago", "312", 5},
	{"US", "MN", "America/Chicago", "612", 3}, {"US", "CO", "America/Denver", "303", 3}, {"US", "AZ", "America/Phoenix", "602", 3},
	{"US", "CA", "America/Los_Angeles", "415", 14}, {"US", "WA", "America/Los_Angeles", "206", 4}, {"US", "HI", "Pacific/Honolulu", "808", 1},
	{"CA", "ON", "America/Toronto", "416", 5}, {"CA", "BC", "America/Vancouver", "604", 2}, {"GB", "", "Europe/London", "", 9},
	{"DE", "", "Europe/Berlin", "", 6}, {"FR", "", "Europe/Paris", "", 4}, {"AU", "NSW", "Australia/Sydney", "", 3},
}

func placeFor(s *draw.Stream) place {
	total := 0.0
	for _, p := range places {
		total += p.weight
	}
	at := s.Float() * total
	for _, p := range places {
		if at -= p.weight; at < 0 {
			return p
		}
	}
	return places[0]
}

// newPerson draws a person; the same seed and index give the same person.
func newPerson(seed uint64, index int, kind Kind, start time.Time, days int, zones map[string]*time.Location) Person {
	s := draw.Of(seed, draw.Text("person"), uint64(index))
	fake := gofakeit.New(s.Uint64() | 1) // 0 would mean a random seed
	t, where := tempers[kind], placeFor(&s)
	around := func(median, sigma float64) float64 { return median * math.Exp(sigma*s.Normal()) }
	p := Person{
		Index: index, Kind: kind, ExternalID: fmt.Sprintf("C%06d", index+1), FirstName: fake.FirstName(), LastName: fake.LastName(),
		Country: where.country, Region: where.region, TimeZone: where.zone, location: zones[where.zone],
		OrderEvery: around(t.orderEvery, 0.3), OrderAfter: t.after, OrderMedian: around(48, 0.35), OrderSigma: 0.45,
		CartReturn: 0.2, Hour: 9 + 12*s.Float(),
		Open: min(0.9, around(t.open, 0.25)), Click: min(0.8, around(t.click, 0.25)), Convert: min(0.5, around(t.convert, 0.25)),
		Sensitivity: t.sensitivity, MachineOpen: s.Bool(0.45), Unsubscribe: around(0.0025, 0.5), Complain: around(0.0002, 0.5),
	}
	p.CartEvery, p.VisitEvery = 5*p.OrderEvery, 0.5*p.OrderEvery
	p.Email = fmt.Sprintf("%s.%s.%d@example.%s", plain(p.FirstName), plain(p.LastName), index+1, draw.Pick(&s, []string{"com", "com", "net", "org"}))
	if where.area != "" && s.Bool(0.6) {
		p.Phone = fmt.Sprintf("+1%s55501%02d", where.area, s.Int(100)) // the range reserved for fiction
	}
	switch u := s.Float(); {
	case u < 0.90 || kind == Newcomer:
		p.Consent = "granted"
	case u < 0.95:
		p.Consent = "unknown"
	default:
		p.Consent = "withdrawn"
	}
	p.timeline(&s, start, days)
	return p
}

// timeline draws when the person signed up and when they stop buying.
func (p *Person) timeline(s *draw.Stream, start time.Time, days int) {
	ago := func(low, high float64) time.Time {
		return start.Add(-time.Duration(s.Between(low, high) * float64(day))).Truncate(time.Second)
	}
	switch p.Kind {
	case Lapsed:
		p.StopsAt = ago(100, 330)
		p.CreatedAt = p.StopsAt.Add(-time.Duration(s.Between(30, 400) * float64(day))).Truncate(time.Second)
		return
	case Prospect:
		p.CreatedAt = ago(3, 200)
		p.StopsAt = p.CreatedAt.Add(time.Duration(s.Exponential(60) * float64(day)))
		return
	case Newcomer:
		p.CreatedAt = start.Add(time.Duration(s.Between(0, float64(days)) * float64(day))).Truncate(time.Second)
		p.StopsAt = p.CreatedAt.Add(time.Duration(s.Exponential(150) * float64(day)))
		return
	}
	p.CreatedAt = ago(40, 700)
	p.StopsAt = start.Add(time.Duration(s.Exponential(260) * float64(day))) // everybody drifts away some day
}

// plain makes a name fit an address.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// buysEvery is the mean number of days between orders at an instant.
func (p *Person) buysEvery(at time.Time) float64 {
	if at.Before(p.StopsAt) {
		return p.OrderEvery
	}
	return p.OrderAfter
}

// orderValue draws the value of an order in minor units.
func (p *Person) orderValue(s *draw.Stream) int64 {
	v := p.OrderMedian * math.Exp(p.OrderSigma*s.Normal())
	return int64(math.Round(100 * min(max(v, 8), 600)))
}

// MeanOrder is the expected order value in major units, before any discount:
// the mean of the log-normal. Orders are cut to [8, 600], which moves the mean
// by less than 1 %.
func (p *Person) MeanOrder() float64 {
	return p.OrderMedian * math.Exp(p.OrderSigma*p.OrderSigma/2)
}

// localTime is an instant on the day of `midnight` (UTC) at which the person is
// awake: around their hour, in their zone.
func (p *Person) localTime(midnight time.Time, s *draw.Stream) time.Time {
	hour := min(max(p.Hour+2.5*s.Normal(), 7), 23.4)
	y, m, d := midnight.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, p.location).Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Second).UTC()
}
