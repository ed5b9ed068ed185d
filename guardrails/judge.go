package guardrails

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// horizon is how far ahead Judge looks for an instant all windows allow.
const horizon = 62 * 24 * time.Hour

// maxAgreementRounds bounds the search; two weekly windows meet or miss within a few rounds.
const maxAgreementRounds = 200

// Judge asks every rule of the touch's stage under the policy in force at
// t.At. The strictest finding wins: block, review, defer, allow. With Defer,
// Until is the earliest instant found at which all timed rules agree; when
// there is none within two months the touch is blocked.
func Judge(t Touch, p *Policy, b *brand.Brand) lifecycle.Verdict {
	v := judge(t, p, b, func(r *Rule) bool {
		dated := r.Timed && t.Offer != nil // an offer's end moves with the instant
		return r.runs(t.Stage) && !(r.Content && t.ContentJudged && !dated)
	})
	if by, _ := permitted(t); by != nil && !p.exempt(t.Channel) {
		v.Law = by.law()
	}
	if v.Outcome != lifecycle.Defer {
		return v
	}
	for _, f := range v.Findings {
		if f.Outcome == lifecycle.Defer && f.Until.After(v.Until) {
			v.Until = f.Until
		}
	}
	until, failed := agree(t, p, b, v.Until)
	if failed != nil {
		v.Findings = append(v.Findings, *failed)
		return lifecycle.Verdict{Outcome: lifecycle.Block, Findings: v.Findings, Law: v.Law}
	}
	v.Until = until
	return v
}

// JudgeContent asks only the rules that look at the copy: for creatives before
// anybody is to receive them.
func JudgeContent(t Touch, p *Policy, b *brand.Brand) lifecycle.Verdict {
	return judge(t, p, b, func(r *Rule) bool { return r.Content })
}

func judge(t Touch, p *Policy, b *brand.Brand, asked func(*Rule) bool) lifecycle.Verdict {
	inForce := p.At(t.At)
	v := lifecycle.Verdict{Outcome: lifecycle.Allow}
	for i := range catalogue {
		r := &catalogue[i]
		if !asked(r) {
			continue
		}
		if r.Content && t.content == nil {
			t.content = readContent(t.Message)
		}
		for _, f := range r.Check(t, inForce, b) {
			f.Rule, f.Version = r.Name, inForce.Version
			if f.Law == nil && f.Outcome != lifecycle.Allow {
				f.Law = behind(f, t)
			}
			if f.Outcome == lifecycle.Review && t.settled(r) {
				f.Outcome = lifecycle.Allow
			}
			if severity(f.Outcome) > severity(v.Outcome) {
				v.Outcome = f.Outcome
			}
			v.Findings = append(v.Findings, f)
		}
	}
	return v
}

// settled reports whether a person already answered what the rule asks: about
// this touch, or, for the copy, about the creative.
func (t Touch) settled(r *Rule) bool {
	return t.Approved || r.Content && t.Creative.Status == lifecycle.CreativeApproved
}

// agree moves the instant forward until no timed rule defers further. The
// second result is the finding that blocks when there is no such instant.
func agree(t Touch, p *Policy, b *brand.Brand, at time.Time) (time.Time, *lifecycle.Finding) {
	limit := t.At.Add(horizon)
	for range maxAgreementRounds {
		if at.After(limit) {
			break
		}
		t.At = at
		inForce, latest := p.At(at), at
		for i := range catalogue {
			r := &catalogue[i]
			if !r.Timed || r.Content || !r.runs(t.Stage) {
				continue
			}
			for _, f := range r.Check(t, inForce, b) {
				if f.Outcome == lifecycle.Block {
					f.Rule, f.Version = r.Name, inForce.Version
					return time.Time{}, &f
				}
				if f.Outcome == lifecycle.Defer && f.Until.After(latest) {
					latest = f.Until
				}
			}
		}
		if !latest.After(at) {
			return at, nil
		}
		at = latest
	}
	return time.Time{}, &lifecycle.Finding{
		Rule: sendWindowRule.Name, Version: p.At(limit).Version, Outcome: lifecycle.Block,
		Value: "no common instant", Limit: "within 62 days",
		Reason: "the journey's window, the quiet hours and the caps never allow the same instant; widen one of them",
	}
}

func severity(o lifecycle.Outcome) int {
	switch o {
	case lifecycle.Block:
		return 3
	case lifecycle.Review:
		return 2
	case lifecycle.Defer:
		return 1
	}
	return 0
}
