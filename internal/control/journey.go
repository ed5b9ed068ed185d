package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"touchstone/activities"
	"touchstone/internal/journey"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

// Applied says what applying a journey did.
type Applied struct {
	Journey  string `json:"journey"`
	Version  int    `json:"version"`
	New      bool   `json:"new"`                // false: this very source was the latest version already
	Campaign string `json:"campaign,omitempty"` // the standing campaign that scans the entry segment
}

// ParseJourney parses a definition against the brand's offers.
func (p *Plane) ParseJourney(file string, source []byte) (*journey.Definition, error) {
	var offers []string
	for _, o := range p.Brand.Offers {
		offers = append(offers, o.ID)
	}
	return journey.Parse(file, source, journey.ParseOptions{Offers: offers, Topics: p.Brand.TopicIDs()})
}

// StoreJourney stores a definition as the latest version without letting
// anybody enter by its segment: campaigns send through it.
func (p *Plane) StoreJourney(ctx context.Context, file string, source []byte, by string) (Applied, error) {
	_, applied, err := p.store(ctx, file, source, by)
	return applied, err
}

// ApplyJourney stores a definition as the latest version, has its copy written
// and put into review, and, for journeys with a segment entry, makes sure that
// the standing campaign scans with this version. Runs in flight keep theirs.
func (p *Plane) ApplyJourney(ctx context.Context, file string, source []byte, by string) (Applied, error) {
	def, applied, err := p.store(ctx, file, source, by)
	if err != nil {
		return applied, err
	}
	if def.Entry.Segment == nil {
		_, err := p.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: workflows.PreflightID(def.Name, applied.Version), TaskQueue: workflows.QueueEngine,
			WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			StaticSummary:            "Write and review the copy of " + def.Name,
		}, workflows.PreflightName, workflows.PreflightInput{Journey: def.Name, Version: applied.Version, By: by, Clock: p.Clock.Scale})
		return applied, engineError("preflight of "+def.Name, err)
	}
	applied.Campaign = standing(def.Name)
	return applied, p.scan(ctx, def, applied.Version, by)
}

// store parses a definition and stores it as the latest version.
func (p *Plane) store(ctx context.Context, file string, source []byte, by string) (*journey.Definition, Applied, error) {
	if err := named(by); err != nil {
		return nil, Applied{}, err
	}
	def, err := p.ParseJourney(file, source)
	if err != nil {
		return nil, Applied{}, err
	}
	sum := sha256.Sum256(source)
	version, created, err := p.Store.SaveJourney(ctx, def.Name, source, hex.EncodeToString(sum[:]), def.Listens(), def.Entry.Event, by, p.Clock.Now())
	if err != nil {
		return nil, Applied{}, err
	}
	applied := Applied{Journey: def.Name, Version: version, New: created}
	if created {
		err = p.log(ctx, "journey.applied", by, def.Name, applied)
	}
	return def, applied, err
}

// standing is the name of the campaign that scans a journey's entry segment.
func standing(journey string) string { return journey }

// scan starts the standing campaign of a journey; one that runs already with
// another version is replaced, its pending runs stay and are worked through.
func (p *Plane) scan(ctx context.Context, def *journey.Definition, version int, by string) error {
	now := p.Clock.Now()
	row := ledger.CampaignRow{
		Name: standing(def.Name), Journey: def.Name, Version: version, Segment: def.Entry.Segment.String(), Ramp: 1, Holdout: def.Holdout,
		Every: def.Entry.Every, Standing: true, Status: workflows.StatusPreflight, CreatedAt: now, CreatedBy: by,
	}
	if _, err := p.Store.SaveCampaign(ctx, row); err != nil {
		return err
	}
	return p.start(ctx, row, enums.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING)
}

// start starts a campaign's workflow.
func (p *Plane) start(ctx context.Context, row ledger.CampaignRow, conflict enums.WorkflowIdConflictPolicy) error {
	options := client.StartWorkflowOptions{
		ID: workflows.CampaignID(row.Name), TaskQueue: workflows.QueueEngine, WorkflowIDConflictPolicy: conflict,
		TypedSearchAttributes: workflows.CampaignAttributes(row.Name, row.Journey),
		StaticSummary:         "Campaign " + row.Name + " through journey " + row.Journey,
	}
	_, err := p.Temporal.ExecuteWorkflow(ctx, options, workflows.CampaignName, workflows.CampaignInput{
		Name: row.Name, Journey: row.Journey, Version: row.Version, Segment: row.Segment, Ramp: row.Ramp, Holdout: row.Holdout,
		PerMinute: row.PerMinute, Every: row.Every, By: row.CreatedBy, Clock: p.Clock.Scale, Start: p.Clock.Now(),
	})
	return err
}

// Migrated says what a migration did.
type Migrated struct {
	Journey string   `json:"journey"`
	To      int      `json:"to"`
	Moved   int      `json:"moved"`
	Kept    int      `json:"kept"`           // runs whose step does not exist in the new version
	Lost    []string `json:"lost,omitempty"` // those steps
}

// migratePage is how many runs one migration transaction moves.
const migratePage = 500

// MigrateJourney moves runs in flight to a version on purpose. A run stays
// where it is when its step does not exist there.
func (p *Plane) MigrateJourney(ctx context.Context, name string, to int, by string) (Migrated, error) {
	if err := named(by); err != nil {
		return Migrated{}, err
	}
	row, err := p.Store.Journey(ctx, name, to)
	if err != nil {
		return Migrated{}, err
	}
	def, err := p.ParseJourney(name, row.Source)
	if err != nil {
		return Migrated{}, err
	}
	result := Migrated{Journey: name, To: row.Version}
	var after lifecycle.RunID
	for {
		runs, err := p.Store.RunsInJourney(ctx, name, []ledger.RunStatus{ledger.RunPending, ledger.RunRunning}, migratePage, after)
		if err != nil || len(runs) == 0 {
			if err == nil {
				err = p.log(ctx, "journey.migrated", by, name, result)
			}
			return result, err
		}
		after = runs[len(runs)-1].ID
		if err := p.migratePage(ctx, def, row.Version, runs, &result); err != nil {
			return result, err
		}
	}
}

func (p *Plane) migratePage(ctx context.Context, def *journey.Definition, version int, runs []ledger.Run, result *Migrated) error {
	var ids []lifecycle.RunID
	var wake []ledger.Run
	for _, run := range runs {
		if run.Version == version {
			continue
		}
		if _, known := def.Step(run.Step); run.Step != "" && !known {
			result.Kept++
			result.Lost = appendNew(result.Lost, run.Step)
			continue
		}
		ids = append(ids, run.ID)
		if run.Durable && run.Status == ledger.RunRunning {
			wake = append(wake, run)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := p.Store.SetRunVersion(ctx, ids, version); err != nil {
		return err
	}
	result.Moved += len(ids)
	return p.starter().Wake(ctx, wake, activities.SignalMigrate, "moved to a new version")
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
