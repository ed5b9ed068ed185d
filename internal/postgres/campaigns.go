package postgres

import (
	"context"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// SaveCampaign stores a new campaign; created is false when one of that name
// exists, which is then left as it is.
func (s *Store) SaveCampaign(ctx context.Context, c ledger.CampaignRow) (created bool, err error) {
	every := interval(c.Every)
	every.Valid = c.Every > 0
	n, err := s.q.InsertCampaign(ctx, dbsqlc.InsertCampaignParams{Name: c.Name, Journey: c.Journey, Version: int32(c.Version),
		Segment: c.Segment, Ramp: c.Ramp, Holdout: c.Holdout, PerMinute: int32(c.PerMinute), Every: every, Standing: c.Standing,
		Status: c.Status, CreatedAt: instant(c.CreatedAt), CreatedBy: c.CreatedBy})
	return n == 1, translate(err, "save campaign "+c.Name)
}

// Campaign returns one campaign.
func (s *Store) Campaign(ctx context.Context, name string) (ledger.CampaignRow, error) {
	row, err := s.q.Campaign(ctx, name)
	return campaignOf(row), translate(err, "read campaign "+name)
}

// Campaigns returns all campaigns, oldest first.
func (s *Store) Campaigns(ctx context.Context) ([]ledger.CampaignRow, error) {
	rows, err := s.q.Campaigns(ctx)
	if err != nil {
		return nil, translate(err, "read the campaigns")
	}
	campaigns := make([]ledger.CampaignRow, len(rows))
	for i, row := range rows {
		campaigns[i] = campaignOf(row)
	}
	return campaigns, nil
}

// SetCampaignStatus moves a campaign; the first time it runs and is done are
// remembered.
func (s *Store) SetCampaignStatus(ctx context.Context, name, status string, at time.Time) error {
	n, err := s.q.SetCampaignStatus(ctx, dbsqlc.SetCampaignStatusParams{Name: name, Status: status, At: instant(at)})
	return oneCampaign(n, err, name)
}

// SetCampaignRamp changes the share of its cohort that a campaign takes.
func (s *Store) SetCampaignRamp(ctx context.Context, name string, ramp float64) error {
	n, err := s.q.SetCampaignRamp(ctx, dbsqlc.SetCampaignRampParams{Name: name, Ramp: ramp})
	return oneCampaign(n, err, name)
}

func oneCampaign(n int64, err error, name string) error {
	if err == nil && n == 0 {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no campaign %s", name)
	}
	return translate(err, "change campaign "+name)
}

func campaignOf(row dbsqlc.Campaign) ledger.CampaignRow {
	return ledger.CampaignRow{Name: row.Name, Journey: row.Journey, Version: int(row.Version), Segment: row.Segment,
		Ramp: row.Ramp, Holdout: row.Holdout, PerMinute: int(row.PerMinute),
		Every: time.Duration(row.Every.Microseconds) * time.Microsecond, Standing: row.Standing, Status: row.Status,
		CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy, StartedAt: moment(row.StartedAt), EndedAt: moment(row.EndedAt)}
}
