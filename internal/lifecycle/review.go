package lifecycle

import "time"

// ReviewKind says what a person is asked to judge.
type ReviewKind string

// Review kinds.
const (
	ReviewCreative ReviewKind = "creative" // releases every touch that uses the creative
	ReviewTouch    ReviewKind = "touch"    // touches with identical content and reasons
)

// ReviewStatus is the place of a review in its life.
type ReviewStatus string

// Review states.
const (
	ReviewAwaiting ReviewStatus = "awaiting"
	ReviewApproved ReviewStatus = "approved"
	ReviewRejected ReviewStatus = "rejected"
	ReviewExpired  ReviewStatus = "expired"
)

// ReviewItem is one row of the review queue. Stamps are wall-clock instants:
// people are not scaled.
type ReviewItem struct {
	ID          ReviewID
	WorkflowID  string // of the review workflow: readable, bound to the content
	Kind        ReviewKind
	CreativeID  CreativeID
	Content     string // content hash the decision is bound to
	Journey     string
	Campaign    string
	Reasons     []Finding
	Author      string
	Status      ReviewStatus
	DecidedBy   string
	Note        string
	OpenedAt    time.Time
	DueAt       time.Time // SLA
	DecidedAt   time.Time
	EscalatedAt time.Time
	Waiting     int // touches waiting for it
}
