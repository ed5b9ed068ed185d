package copywriter

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/lifecycle"
)

// Edit returns a new draft of c with other parts, written by a person. The
// original is left as it is; whatever approval it had does not carry over, and
// the author of the edit may not approve it.
func Edit(c lifecycle.Creative, parts lifecycle.Parts, author string, now time.Time) (lifecycle.Creative, error) {
	if author == "" {
		return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.Invalid, "an edit needs its author: say who you are")
	}
	if parts == c.Parts {
		return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.Conflict, "the edit changes nothing")
	}
	if _, err := Validate(parts); err != nil {
		return lifecycle.Creative{}, err
	}
	if c.Channel == lifecycle.Email && (parts.Subject == "" || parts.Text == "") {
		return lifecycle.Creative{}, lifecycle.Errorf(lifecycle.Invalid, "an e-mail needs a subject and a text part")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return lifecycle.Creative{}, fmt.Errorf("new creative id: %w", err)
	}
	c.ID = lifecycle.CreativeID(id.String())
	c.Parts, c.Source, c.Author = parts, lifecycle.FromPerson, author
	c.Status, c.ApprovedBy, c.CreatedAt = lifecycle.CreativeDraft, "", now
	c.Model, c.Cost = "", lifecycle.Money{Currency: c.Cost.Currency}
	return c, nil
}
