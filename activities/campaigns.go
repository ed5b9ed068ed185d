package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/segment"
)

// Cohorts enrols customers.
type Cohorts interface {
	Enrol(ctx context.Context, cohort ledger.Cohort) (ledger.Enrolled, error)
	AppendDecisions(ctx context.Context, records []ledger.Record) error
	SetCampaignStatus(ctx context.Context, name, status string, at time.Time) error
}

// Campaigns enrols cohorts and checks that a campaign may start.
type Campaigns struct {
	Cohorts       Cohorts
	Creatives     CreativeStore
	Reviews       ReviewStore
	Definitions   Definitions
	Brand         *brand.Brand
	Writer        Writer // the desk: the model, or templates in its place
	Templates     Writer // the shipped templates: the fallback of every slot
	Starter       Starter
	GlobalHoldout float64 // the brand's always-on share, in [0,1)
	ReviewSLA     time.Duration
}

// EnrolInput asks to enrol a campaign's cohort as it stands at Now.
type EnrolInput struct {
	Campaign string    `json:"campaign"`
	Journey  string    `json:"journey"`
	Version  int       `json:"version"`
	Segment  string    `json:"segment"`
	EntryKey string    `json:"entry_key"`
	Ramp     float64   `json:"ramp"`
	Holdout  float64   `json:"holdout"`
	Now      time.Time `json:"now"`
}

// Enrol enters everybody in the segment who may enter, draws the holdouts, and
// stores it. Repeating it, or repeating it with a larger ramp, only adds.
func (c *Campaigns) Enrol(ctx context.Context, in EnrolInput) (ledger.Enrolled, error) {
	defer alive(ctx)()
	def, err := c.Definitions.Definition(ctx, in.Journey, in.Version)
	if err != nil {
		return ledger.Enrolled{}, fail(err)
	}
	expr, err := segment.Compile(in.Segment)
	if err != nil {
		return ledger.Enrolled{}, fail(lifecycle.Errorf(lifecycle.Invalid, "campaign %s: segment: %w", in.Campaign, err))
	}
	where, args, err := expr.SQL(in.Now, c.Brand.Stages, 1)
	if err != nil {
		return ledger.Enrolled{}, fail(lifecycle.Errorf(lifecycle.Invalid, "campaign %s: segment: %w", in.Campaign, err))
	}
	cohort := ledger.Cohort{
		Campaign: in.Campaign, Journey: in.Journey, Version: in.Version, Where: where, Args: args, EntryKey: in.EntryKey,
		Ramp: in.Ramp, Holdout: in.Holdout, Global: c.GlobalHoldout, At: in.Now,
	}
	cohort.Always, cohort.NoReentry, cohort.NotSince = reentry(def, in.Now)
	enrolled, err := c.Cohorts.Enrol(ctx, cohort)
	if err != nil {
		return ledger.Enrolled{}, fail(err)
	}
	if enrolled.Treated+enrolled.Holdout+enrolled.GlobalHoldout == 0 {
		return enrolled, nil
	}
	body, err := json.Marshal(struct {
		EnrolInput
		ledger.Enrolled
	}{in, enrolled})
	if err != nil {
		return enrolled, fail(err)
	}
	return enrolled, fail(c.Cohorts.AppendDecisions(ctx, []ledger.Record{{At: in.Now, Kind: "campaign.enrolled", Actor: "engine", Subject: in.Campaign, Body: body}}))
}

// reentry translates a journey's re-entry rule for the store.
func reentry(def *journey.Definition, now time.Time) (always, never bool, notSince time.Time) {
	switch {
	case def.Reentry.Always:
		return true, false, time.Time{}
	case def.Reentry.After > 0:
		return false, false, now.Add(-def.Reentry.After)
	}
	return false, true, time.Time{}
}

// StatusInput asks to record a campaign's status.
type StatusInput struct {
	Campaign string    `json:"campaign"`
	Status   string    `json:"status"`
	Now      time.Time `json:"now"`
}

// SetStatus records a campaign's status.
func (c *Campaigns) SetStatus(ctx context.Context, in StatusInput) error {
	return fail(c.Cohorts.SetCampaignStatus(ctx, in.Campaign, in.Status, in.Now))
}

// PreflightInput names the journey whose copy must be ready.
type PreflightInput struct {
	Journey  string    `json:"journey"`
	Version  int       `json:"version"`
	Campaign string    `json:"campaign,omitempty"`
	By       string    `json:"by"` // who applied the journey, and with it the shipped templates
	Now      time.Time `json:"now"`
}

// PreflightResult says whether every touch step has approved copy.
type PreflightResult struct {
	Approved int      `json:"approved"`
	Waiting  int      `json:"waiting"`           // creatives a person still has to decide on
	Missing  []string `json:"missing,omitempty"` // slots without any usable copy
}

// Ready reports whether a campaign may start.
func (r PreflightResult) Ready() bool { return r.Waiting == 0 && len(r.Missing) == 0 }

// Preflight makes sure that copy exists for every slot, channel and offer of a
// journey, puts new copy into review, and says what is still open. Shipped
// templates count as approved by the person who applied the journey; copy by a
// model always needs a reviewer.
func (c *Campaigns) Preflight(ctx context.Context, in PreflightInput) (PreflightResult, error) {
	defer alive(ctx)()
	def, err := c.Definitions.Definition(ctx, in.Journey, in.Version)
	if err != nil {
		return PreflightResult{}, fail(err)
	}
	var result PreflightResult
	for _, step := range def.Touches() {
		existing, err := c.Creatives.Creatives(ctx, []string{step.Touch.Slot})
		if err != nil {
			return result, fail(err)
		}
		written, err := c.write(ctx, def, step, existing, in.By)
		if err != nil {
			return result, fail(err)
		}
		creatives, waiting := append(existing, written...), 0
		for _, creative := range creatives {
			switch creative.Status {
			case lifecycle.CreativeApproved:
				result.Approved++
			case lifecycle.CreativeDraft, lifecycle.CreativeInReview:
				undecided, err := c.request(ctx, in, creative)
				if err != nil {
					return result, fail(err)
				}
				if undecided {
					waiting++
				}
			}
		}
		result.Waiting += waiting
		if len(usable(creatives, def.Fallback)) == 0 && waiting == 0 {
			result.Missing = append(result.Missing, fmt.Sprintf("%s (step %s)", step.Touch.Slot, step.ID))
		}
	}
	return result, nil
}

// request opens the review of one creative and starts its workflow; undecided
// says that somebody still has to decide.
func (c *Campaigns) request(ctx context.Context, in PreflightInput, creative lifecycle.Creative) (undecided bool, err error) {
	now := time.Now().UTC()
	item, _, err := c.Reviews.OpenReview(ctx, lifecycle.ReviewItem{
		Kind: lifecycle.ReviewCreative, CreativeID: creative.ID, Content: creative.ContentHash(), Journey: in.Journey,
		Campaign: in.Campaign, Author: creative.Author, OpenedAt: now, DueAt: now.Add(c.ReviewSLA), Status: lifecycle.ReviewAwaiting,
	}, CreativeReviewID(creative), nil)
	if err != nil {
		return false, err
	}
	if item.Status != lifecycle.ReviewAwaiting {
		return false, retire(ctx, c.Creatives, creative.ID, item)
	}
	return true, c.Starter.StartReview(ctx, item)
}

// write asks for copy where a channel and offer of the step has none yet.
func (c *Campaigns) write(ctx context.Context, def *journey.Definition, step journey.Step, existing []lifecycle.Creative, by string) ([]lifecycle.Creative, error) {
	type arm struct {
		channel lifecycle.Channel
		offer   string
	}
	have := map[arm]bool{}
	for _, creative := range existing {
		have[arm{creative.Channel, creative.OfferID}] = true
	}
	offers := step.Touch.Offers
	if len(offers) == 0 {
		offers = []string{journey.NoOffer}
	}
	var saved []lifecycle.Creative
	for _, channel := range step.Touch.Channels {
		for _, id := range offers {
			if id == journey.NoOffer {
				id = ""
			}
			if have[arm{channel, id}] {
				continue
			}
			brief := c.brief(def, step, channel, id)
			written, err := c.Templates.Write(ctx, brief)
			if err != nil {
				return nil, err
			}
			byDesk, err := c.Writer.Write(ctx, brief)
			if err != nil {
				return nil, err
			}
			written = append(written, byDesk...)
			for i := range written {
				if written[i].Source == lifecycle.FromTemplate {
					written[i].Status, written[i].ApprovedBy = lifecycle.CreativeApproved, by
				}
			}
			stored, err := c.Creatives.SaveCreatives(ctx, written)
			if err != nil {
				return nil, err
			}
			saved = append(saved, stored...)
		}
	}
	return saved, nil
}
