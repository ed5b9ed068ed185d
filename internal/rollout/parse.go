package rollout

import (
	_ "embed" // the schema and the shipped programme
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
	"touchstone/internal/yamldoc"
)

//go:embed schema.json
var schema []byte

//go:embed shipped/three-phases.yaml
var shipped []byte

// Schema is the JSON Schema (2020-12) of programme files, for editors and CI.
func Schema() []byte { return slices.Clone(schema) }

// Shipped is the default programme: three phases, for people to copy.
func Shipped() []byte { return slices.Clone(shipped) }

// Defaults of a programme file.
const (
	DefaultEvery     = time.Hour
	DefaultStepBacks = 3
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// Parse reads and validates a programme file. The error is Invalid and lists
// every mistake as file:line:column with what to write instead.
func Parse(file string, source []byte) (*Programme, error) {
	doc, err := yamldoc.Parse(file, source)
	if err != nil {
		return nil, err
	}
	f := doc.Root().Fields("programme", "title", "description", "journeys", "check", "step_backs", "phases")
	p := &Programme{
		Name: name(f.Get("programme").Required("three-phases")), Title: f.Get("title").Text(), Description: f.Get("description").Text(),
		Journeys: names(f.Get("journeys")), Every: DefaultEvery, StepBacks: DefaultStepBacks,
	}
	if n := f.Get("check"); n.Present() {
		p.Every = n.Duration()
	}
	if n := f.Get("step_backs"); n.Present() {
		p.StepBacks = n.Int(0, 100)
	}
	phases := f.Get("phases").Required("[...]")
	for _, n := range phases.Items() {
		p.phase(n)
	}
	if phases.Present() && len(p.Phases) == 0 {
		phases.Fail("phases is empty: add at least one phase with one stage")
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Programme) phase(n yamldoc.Node) {
	f := n.Fields("phase", "title", "goal", "cohort", "coverage", "journeys", "channels", "agents", "review", "go_no_go", "gates", "guardrails", "checklist", "stages")
	phase := Phase{
		Name: name(f.Get("phase").Required("pilot")), Title: f.Get("title").Text(), Goal: f.Get("goal").Text(),
		Cohort: cohort(f.Get("cohort")), Coverage: 1, Journeys: names(f.Get("journeys")), Channels: channels(f.Get("channels")),
		Agents: names(f.Get("agents")), GoNoGo: true, first: len(p.Stages),
	}
	if n := f.Get("coverage"); n.Present() {
		phase.Coverage = share(n)
	}
	if n := f.Get("review"); n.Present() {
		phase.ReviewAll = oneOf(n, "policy", "every-touch") == "every-touch"
	}
	if n := f.Get("go_no_go"); n.Present() {
		phase.GoNoGo = oneOf(n, "true", "false") == "true"
	}
	if slices.ContainsFunc(p.Phases, func(other Phase) bool { return other.Name == phase.Name && phase.Name != "" }) {
		f.Get("phase").Fail("phase %s is there twice: give each a name of its own", phase.Name)
	}
	for _, journey := range phase.Journeys {
		if len(p.Journeys) > 0 && !slices.Contains(p.Journeys, journey) {
			f.Get("journeys").Fail("journey %s is not among those that the programme governs: add it to journeys at the top", journey)
		}
	}
	gates, guardrails := conditions(f.Get("gates")), guardrailsOf(f.Get("guardrails"))
	for _, item := range f.Get("checklist").Items() {
		phase.item(item)
	}
	stages := f.Get("stages").Required("[...]")
	p.Phases = append(p.Phases, phase)
	for _, item := range stages.Items() {
		p.stage(item, len(p.Phases)-1, gates, guardrails)
	}
	if stages.Present() && len(p.Stages) == phase.first {
		stages.Fail("phase %s has no stage: add one, for example - {stage: week-1, share: 5%%, hold: 14d, sample: 1000}", phase.Name)
	}
	p.Phases[len(p.Phases)-1].last = len(p.Stages) - 1
}

func (p *Programme) stage(n yamldoc.Node, phase int, gates []Condition, guardrails []Guardrail) {
	f := n.Fields("stage", "share", "hold", "sample", "approval", "gates", "guardrails")
	s := Stage{
		Name: name(f.Get("stage").Required("week-1")), Phase: phase, Share: share(f.Get("share").Required("5%")),
		Hold: f.Get("hold").Required("14d").Duration(), Sample: f.Get("sample").Required("1000").Int(0, 1_000_000_000),
		Gates:      append(slices.Clone(gates), conditions(f.Get("gates"))...),
		Guardrails: append(slices.Clone(guardrails), guardrailsOf(f.Get("guardrails"))...),
	}
	s.Reach = s.Share * p.Phases[phase].Coverage
	if n := f.Get("approval"); n.Present() {
		s.Approval = oneOf(n, "true", "false") == "true"
	}
	for _, other := range p.Stages {
		if other.Name == s.Name && s.Name != "" {
			f.Get("stage").Fail("stage %s is there twice: give each a name of its own", s.Name)
		}
	}
	if len(p.Stages) > 0 {
		if before := p.Stages[len(p.Stages)-1]; s.Reach > 0 && s.Reach < before.Reach-1e-12 {
			f.Get("share").Fail("stage %s reaches %s of all, less than %s of stage %s before it: a programme only grows, raise share or coverage",
				s.Name, percent(s.Reach), percent(before.Reach), before.Name)
		}
	}
	p.Stages = append(p.Stages, s)
}

func (p *Phase) item(n yamldoc.Node) {
	f := n.Fields("item", "title", "evidence")
	item := Item{Name: name(f.Get("item").Required("team-trained")), Title: f.Get("title").Required("the team is trained").Text()}
	if e := f.Get("evidence"); e.Present() && e.Text() != "person" {
		if c, err := ParseCondition(e.Text()); err != nil {
			e.Fail("%v; or write person, for what somebody ticks", err)
		} else {
			item.Evidence = &c
		}
	}
	for _, other := range p.Checklist {
		if other.Name == item.Name && item.Name != "" {
			f.Get("item").Fail("item %s is there twice: give each a name of its own", item.Name)
		}
	}
	p.Checklist = append(p.Checklist, item)
}

func conditions(n yamldoc.Node) []Condition {
	var all []Condition
	for _, item := range n.Items() {
		c, err := ParseCondition(item.Text())
		if err != nil {
			item.Fail("%v", err)
			continue
		}
		all = append(all, c)
	}
	return all
}

func guardrailsOf(n yamldoc.Node) []Guardrail {
	var all []Guardrail
	for _, item := range n.Items() {
		f := item.Fields("keep", "else")
		keep := f.Get("keep").Required("compliance_violations == 0")
		g := Guardrail{Else: Action(oneOf(f.Get("else").Required("halt"), string(StepBack), string(Halt)))}
		if !keep.Present() {
			continue
		}
		var err error
		if g.Condition, err = ParseCondition(keep.Text()); err != nil {
			keep.Fail("%v", err)
		}
		all = append(all, g)
	}
	return all
}

func name(n yamldoc.Node) string {
	s := n.Text()
	if n.Present() && !nameForm.MatchString(s) {
		n.Fail("%s %q is not a name: write small letters, digits and hyphens, for example week-1", n.Name(), s)
	}
	return s
}

func names(n yamldoc.Node) []string {
	var list []string
	for _, item := range n.Items() {
		list = append(list, name(item))
	}
	return list
}

func channels(n yamldoc.Node) []lifecycle.Channel {
	var list []lifecycle.Channel
	for _, item := range n.Items() {
		c, err := lifecycle.ParseChannel(item.Text())
		if err != nil {
			item.Fail("%v", err)
		}
		list = append(list, c)
	}
	return list
}

// share reads a share above zero, written as 5%.
func share(n yamldoc.Node) float64 {
	if !n.Present() {
		return 0
	}
	number, isPercent := strings.CutSuffix(n.Text(), "%")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !isPercent || !(v > 0 && v <= 100) {
		n.Fail("%s %q: write a share above 0%% and at most 100%%, for example 5%%", n.Name(), n.Text())
		return 0
	}
	return v / 100
}

func oneOf(n yamldoc.Node, allowed ...string) string {
	s := n.Text()
	if n.Present() && !slices.Contains(allowed, s) {
		n.Fail("%s %q: write %s", n.Name(), s, strings.Join(allowed, " or "))
	}
	return s
}

// cohort compiles a segment that the database can count.
func cohort(n yamldoc.Node) *segment.Expr {
	if !n.Present() {
		return nil
	}
	e, err := segment.Compile(n.Text())
	if err == nil {
		_, _, err = e.SQL(time.Unix(0, 0), lifecycle.DefaultStageThresholds(), 1)
	}
	var problem *segment.Error
	switch {
	case errors.As(err, &problem):
		n.Fail("cohort, its line %d, character %d: %s", problem.Line, problem.Column, strings.TrimSuffix(problem.Message+": "+problem.Hint, ": "))
		return nil
	case err != nil:
		n.Fail("cohort: %v", err)
		return nil
	}
	return e
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'g', 6, 64) + "%" }
