package lifecycle

// Distinct identifiers get distinct types, so that the compiler catches a
// customer passed where a touch is meant. All are UUID text.
type (
	// CustomerID is our own id of a customer; the brand's id is Customer.ExternalID.
	CustomerID string
	// RunID identifies one customer's passage through one journey.
	RunID string
	// TouchID identifies one row of the ledger.
	TouchID string
	// CreativeID identifies one version of one creative.
	CreativeID string
	// ReviewID identifies one item in the review queue.
	ReviewID string
	// EventID identifies one stored event.
	EventID string
)
