package guardrails

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/yamldoc"
)

var (
	policyVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	capName       = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	clockSpan     = regexp.MustCompile(`^([01]?\d|2[0-3]):([0-5]\d)-(([01]?\d|2[0-3]):([0-5]\d)|24:00)$`)
)

// ParsePolicy reads and validates a policy file. The error is Invalid and lists
// every mistake as file:line:column with what to write instead.
func ParsePolicy(file string, source []byte) (*Policy, error) {
	doc, err := yamldoc.Parse(file, source)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	f := root.Fields("version", "consent", "caps", "hours", "duplicates", "length", "spam", "tone", "review", "pause_recheck", "changes")
	p := &Policy{
		Version:      f.Get("version").Required("2026-11").Text(),
		Consent:      consentPolicy(f.Get("consent")),
		Caps:         caps(f.Get("caps").Required("[]")),
		Hours:        channelHours(f.Get("hours")),
		Length:       lengthPolicy(f.Get("length")),
		Tone:         tonePolicy(f.Get("tone")),
		Review:       reviewPolicy(f.Get("review")),
		PauseRecheck: 15 * time.Minute,
		cache:        &zoneCache{},
	}
	if v := f.Get("version"); v.Present() && !policyVersion.MatchString(p.Version) {
		v.Fail("version %q: use letters, digits, dots and dashes, for example 2026-11", p.Version)
	}
	if v := f.Get("pause_recheck"); v.Present() {
		p.PauseRecheck = v.Duration()
	}
	d := f.Get("duplicates").Fields("content", "slot")
	p.Duplicates = DuplicatePolicy{window(d.Get("content")), window(d.Get("slot"))}
	s := f.Get("spam").Fields("review", "block")
	p.Spam = SpamPolicy{Review: 2, Block: 5}
	if v := s.Get("review"); v.Present() {
		p.Spam.Review = v.Float(0, 100)
	}
	if v := s.Get("block"); v.Present() {
		p.Spam.Block = v.Float(0, 100)
	}
	if wrong := p.validate(); wrong != "" {
		root.Fail("%s", wrong)
	}
	p.timeline = changes(f.Get("changes"), p)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	for i := range p.timeline {
		p.timeline[i].policy.timeline = p.timeline
	}
	return p, nil
}

// window is a duration that the customer's recent touches can answer.
func window(n yamldoc.Node) time.Duration {
	d := n.Duration()
	if d > LookBack {
		n.Fail("%s must be at most 35d: older touches are not looked at", n.Name())
	}
	return d
}

func consentPolicy(n yamldoc.Node) ConsentPolicy {
	f := n.Fields("exempt", "max_age")
	c := ConsentPolicy{MaxAge: map[lifecycle.Channel]time.Duration{}}
	for _, item := range f.Get("exempt").Items() {
		ch, err := lifecycle.ParseChannel(item.Text())
		if err != nil {
			item.Fail("%v", err)
		}
		c.Exempt = append(c.Exempt, ch)
	}
	for _, e := range f.Get("max_age").Entries() {
		if ch, ok := channelKey(e); ok && e.Value.Text() != "none" {
			c.MaxAge[ch] = e.Value.Duration()
		}
	}
	return c
}

func channelKey(e yamldoc.Entry) (lifecycle.Channel, bool) {
	ch, err := lifecycle.ParseChannel(e.Key)
	if err != nil {
		e.Value.Fail("%v", err)
	}
	return ch, err == nil
}

func caps(n yamldoc.Node) []Cap {
	var list []Cap
	names := map[string]bool{}
	for _, item := range n.Items() {
		f := item.Fields("name", "channel", "tag", "limit", "per", "calendar", "over", "keep", "priority_from")
		c := Cap{
			Name:            f.Get("name").Required("email-daily").Text(),
			Tag:             f.Get("tag").Text(),
			Limit:           limit(f.Get("limit").Required("1")),
			Calendar:        f.Get("calendar").Text(),
			KeepForPriority: f.Get("keep").Int(0, 1000),
			PriorityFrom:    f.Get("priority_from").Int(-1000, 1000),
		}
		if v := f.Get("name"); v.Present() && (!capName.MatchString(c.Name) || names[c.Name]) {
			v.Fail("cap name %q: use a name of its own with lower-case letters, digits and dashes", c.Name)
		}
		names[c.Name] = true
		if v := f.Get("channel"); v.Present() {
			ch, err := lifecycle.ParseChannel(v.Text())
			if err != nil {
				v.Fail("%v", err)
			}
			c.Channel = ch
		}
		per, calendar := f.Get("per"), f.Get("calendar")
		switch {
		case per.Present() == calendar.Present():
			item.Fail("cap %s needs either per (rolling, for example 7d) or calendar (day, week, month)", c.Name)
		case per.Present():
			c.Per = window(per)
			if c.Per > 0 && c.Per < time.Minute {
				per.Fail("per must be at least 1m")
			}
		case c.Calendar != "day" && c.Calendar != "week" && c.Calendar != "month":
			calendar.Fail("calendar %q: use day, week or month", c.Calendar)
		}
		switch over := f.Get("over"); over.Text() {
		case "", "defer":
		case "drop":
			c.Drop = true
		default:
			over.Fail("over %q: use defer or drop", over.Text())
		}
		if f.Get("keep").Present() != f.Get("priority_from").Present() {
			item.Fail("cap %s: keep and priority_from go together: how many slots, from which priority on", c.Name)
		}
		list = append(list, c)
	}
	return list
}

// limit reads a number, or none for no limit.
func limit(n yamldoc.Node) *int {
	if !n.Present() || n.Text() == "none" {
		return nil
	}
	if _, err := strconv.Atoi(n.Text()); err != nil {
		n.Fail("%s must be a whole number or none, not %q", n.Name(), n.Text())
		return nil
	}
	v := n.Int(0, 1000)
	return &v
}

func channelHours(n yamldoc.Node) map[lifecycle.Channel]Hours {
	all := map[lifecycle.Channel]Hours{}
	for _, e := range n.Entries() {
		if ch, ok := channelKey(e); ok {
			all[ch] = hours(e.Value)
		}
	}
	return all
}

// hours reads daily, then weekdays, then single days; the narrower key wins.
func hours(n yamldoc.Node) Hours {
	keys := []string{"daily", "weekdays", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	f := n.Fields(keys...)
	var chosen [7]yamldoc.Node
	for _, key := range keys {
		v := f.Get(key)
		if !v.Present() {
			continue
		}
		for d := range chosen {
			day := time.Weekday(d)
			if key == "daily" || key == "weekdays" && day != time.Saturday && day != time.Sunday || strings.EqualFold(key, day.String()) {
				chosen[d] = v
			}
		}
	}
	var h Hours
	for d, v := range chosen {
		day := time.Weekday(d)
		if !v.Present() {
			h.add(day, Span{0, minutesPerDay})
			continue
		}
		text := v.Text()
		if text == "none" {
			continue
		}
		for _, part := range strings.Split(text, ",") {
			s, err := parseSpan(strings.TrimSpace(part))
			if err != nil {
				v.Fail("%s: %v", v.Name(), err)
				break
			}
			h.add(day, s)
		}
	}
	if _, ok := h.nextWall(time.Time{}); !ok && n.Present() {
		n.Fail("%s never allows anything: open at least one hour, or pause the channel instead", n.Name())
	}
	return h
}

func parseSpan(text string) (Span, error) {
	m := clockSpan.FindStringSubmatch(text)
	if m == nil {
		return Span{}, fmt.Errorf("%q is not a span of the day: write for example 09:00-20:00, or none", text)
	}
	minutes := func(h, m string) int {
		hour, _ := strconv.Atoi(h)   // digits by the pattern
		minute, _ := strconv.Atoi(m) // digits by the pattern
		return hour*60 + minute
	}
	s := Span{From: minutes(m[1], m[2]), To: minutesPerDay}
	if m[3] != "24:00" {
		s.To = minutes(m[4], m[5])
	}
	if s.From == s.To {
		return Span{}, fmt.Errorf("%q is empty: write 00:00-24:00 for the whole day, or none", text)
	}
	return s, nil
}

func lengthPolicy(n yamldoc.Node) LengthPolicy {
	f := n.Fields("subject_note", "subject_review", "preheader_note", "preheader_review")
	l := LengthPolicy{SubjectNote: 60, SubjectReview: 100, PreheaderNote: 110, PreheaderReview: 150}
	for key, to := range map[string]*int{
		"subject_note": &l.SubjectNote, "subject_review": &l.SubjectReview,
		"preheader_note": &l.PreheaderNote, "preheader_review": &l.PreheaderReview,
	} {
		if v := f.Get(key); v.Present() {
			*to = v.Int(1, 1000)
		}
	}
	return l
}

func tonePolicy(n yamldoc.Node) TonePolicy {
	f := n.Fields("capitals", "grade")
	t := TonePolicy{Capitals: 0.3, Grade: 12}
	if v := f.Get("capitals"); v.Present() {
		t.Capitals = v.Float(0, 1)
	}
	if v := f.Get("grade"); v.Present() {
		t.Grade = v.Float(1, 30)
	}
	return t
}

func reviewPolicy(n yamldoc.Node) ReviewPolicy {
	f := n.Fields("share", "tags")
	return ReviewPolicy{Share: f.Get("share").Float(0, 1), Tags: f.Get("tags").Texts()}
}
