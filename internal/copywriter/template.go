package copywriter

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"touchstone/internal/lifecycle"
)

//go:embed templates
var templateFiles embed.FS

// The kinds of occasion we ship templates for.
const (
	kindWelcome = "welcome"
	kindCart    = "cart"
	kindWinback = "winback"
	kindAtRisk  = "at_risk"
	kindConfirm = "confirm"
	kindGeneral = "general"
)

// kind finds the occasion in the names of slot and journey, slot first.
func (b Brief) kind() string {
	for _, name := range []string{b.Slot, b.Journey} {
		name = strings.NewReplacer("-", "_", ".", "_", "/", "_", " ", "_").Replace(strings.ToLower(name))
		if strings.Contains(name, "double_opt_in") {
			return kindConfirm
		}
		for _, k := range []string{kindWelcome, kindCart, kindAtRisk} {
			if strings.Contains(name, k) {
				return k
			}
		}
		if strings.Contains(name, kindWinback) || strings.Contains(name, "win_back") || strings.Contains(name, "lapsed") {
			return kindWinback
		}
	}
	return kindGeneral
}

// shipped is one template: copy, and what changes with an offer.
type shipped struct {
	Subject      string   `yaml:"subject"`
	Preheader    string   `yaml:"preheader"`
	Headline     string   `yaml:"headline"`
	Paragraphs   []string `yaml:"paragraphs"`
	CallToAction string   `yaml:"call_to_action"`
	Closing      string   `yaml:"closing"`
	SMSText      string   `yaml:"sms_text"`
	Offer        struct {
		Subject   string `yaml:"subject"`
		Preheader string `yaml:"preheader"`
		Paragraph string `yaml:"paragraph"`
		SMSText   string `yaml:"sms_text"`
	} `yaml:"offer"`
}

func (s shipped) copy(offer bool) Copy {
	c := Copy{s.Subject, s.Preheader, s.Headline, slices.Clone(s.Paragraphs), s.CallToAction, s.Closing, s.SMSText}
	if offer {
		c.Subject, c.Preheader, c.SMSText = s.Offer.Subject, s.Offer.Preheader, s.Offer.SMSText
		c.Paragraphs = append(c.Paragraphs, s.Offer.Paragraph)
	}
	return c
}

// Templates writes creatives from the templates shipped with Touchstone. It
// needs no network and never fails on a valid brief.
type Templates struct{ now func() time.Time }

// NewTemplates returns the template writer; now is the business clock.
func NewTemplates(now func() time.Time) *Templates { return &Templates{now: now} }

// TemplateAuthor is the author of creatives made from shipped templates.
const TemplateAuthor = "touchstone templates"

// Write returns as many variants as ordered, or as the occasion has templates
// when that is fewer: identical variants would teach an experiment nothing.
func (t *Templates) Write(_ context.Context, b Brief) ([]lifecycle.Creative, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	name := "templates/" + b.kind() + ".yaml"
	raw, err := templateFiles.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("embedded templates: %w", err)
	}
	var file struct {
		Variants []shipped `yaml:"variants"`
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("embedded templates %s: %w", name, err)
	}
	var out []lifecycle.Creative
	for i, s := range file.Variants[:min(b.Variants, len(file.Variants))] {
		parts, err := layOut(b, s.copy(b.Offer != nil))
		if err != nil {
			return nil, err
		}
		c, err := b.creative(i, parts)
		if err != nil {
			return nil, err
		}
		c.Source, c.Author, c.CreatedAt = lifecycle.FromTemplate, TemplateAuthor, t.now()
		c.Cost.Currency = b.Brand.Currency
		out = append(out, c)
	}
	return out, nil
}
