package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// Registered workflow names. Changing one orphans running workflows: a golden
// test guards them.
const (
	JourneyName   = "Journey"
	CampaignName  = "Campaign"
	PreflightName = "Preflight"
	ReviewName    = "Review"
	ErasureName   = "Erasure"
	UpkeepName    = "Upkeep"
	WatchName     = "Watch"
	RolloutName   = "Rollout"
	ReportName    = "Report"
)

// Task queues. Deliveries have a queue per provider, so that a provider's rate
// limit holds over all workers; broadcasts have one so that a large campaign
// never starves journeys; the watch has one so that nothing starves it.
const (
	QueueEngine    = "touchstone"
	QueueBroadcast = "touchstone-broadcast"
	QueueWatch     = "touchstone-watch"
)

// QueueDelivery is the task queue of one channel's provider.
func QueueDelivery(c lifecycle.Channel) string { return "touchstone-deliver-" + string(c) }

// Search attributes; all Keyword except DueAt.
var (
	AttributeJourney  = temporal.NewSearchAttributeKeyKeyword("Journey")
	AttributeCampaign = temporal.NewSearchAttributeKeyKeyword("Campaign")
	AttributeCustomer = temporal.NewSearchAttributeKeyKeyword("Customer")
	AttributeReview   = temporal.NewSearchAttributeKeyKeyword("ReviewState")
	AttributeDueAt    = temporal.NewSearchAttributeKeyTime("DueAt")
)

// JourneyID is the workflow id of a run: journey/<name>/<customer>/<entry key>.
// It is made of business keys only, so that starting a run twice is harmless.
func JourneyID(r ledger.Run) string {
	return strings.Join([]string{"journey", r.Journey, string(r.CustomerID), readable(r.EntryKey)}, "/")
}

// CampaignID is the workflow id of a campaign.
func CampaignID(name string) string { return "campaign/" + name }

// PreflightID is the workflow id of the preparation of a journey's copy.
func PreflightID(journey string, version int) string {
	return fmt.Sprintf("preflight/%s/v%d", journey, version)
}

// ErasureID is the workflow id of a customer's erasure.
func ErasureID(id lifecycle.CustomerID) string { return "erasure/" + string(id) }

// RolloutID is the workflow id of a rollout programme.
func RolloutID(programme string) string { return "rollout/" + programme }

// ReportID is the id of a kind of report: of its schedule, and the beginning of
// its workflows' ids.
func ReportID(kind string) string { return "report/" + kind }

// UpkeepID is the workflow id of the one upkeep workflow.
const UpkeepID = "upkeep"

// WatchID is the workflow id of the one watch.
const WatchID = "watch"

// CampaignAttributes are the search attributes of a campaign's workflow.
func CampaignAttributes(name, journey string) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(AttributeCampaign.ValueSet(Cut(name)), AttributeJourney.ValueSet(Cut(journey)))
}

// readable keeps an entry key as it is when it is short and plain, and hashes
// it otherwise: keys come from outside and may be long or personal.
func readable(key string) string {
	plain := len(key) <= 64
	for _, r := range key {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.') {
			plain = false
		}
	}
	if plain {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "h" + hex.EncodeToString(sum[:12])
}

// Cut shortens a search attribute value to what PostgreSQL visibility stores.
func Cut(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
