package copywriter

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Brief is the order for the copy of one slot. It holds brand, journey and
// offer data only; it has no place for anything a customer wrote.
type Brief struct {
	Slot     string
	Journey  string
	Step     string
	Goal     string // what the message should achieve, in one sentence
	Channel  lifecycle.Channel
	Offer    *lifecycle.Offer // nil = no offer
	Variants int              // how many creatives, at least 1
	// MergeFields lists the fields the copy may use. Empty means the usual
	// ones of the occasion: see Fields.
	MergeFields []string
	Brand       *brand.Brand
}

// maxVariants bounds what one brief may order: more arms than this never
// gather enough evidence.
const maxVariants = 8

func (b Brief) check() error {
	if b.Brand == nil || b.Slot == "" {
		return lifecycle.Errorf(lifecycle.Invalid, "brief needs a slot and a brand")
	}
	if _, err := lifecycle.ParseChannel(string(b.Channel)); err != nil {
		return err
	}
	if b.Variants < 1 || b.Variants > maxVariants {
		return lifecycle.Errorf(lifecycle.Invalid, "brief orders %d variants: order 1 to %d", b.Variants, maxVariants)
	}
	for _, f := range b.MergeFields {
		if _, ok := fieldByName(f); !ok {
			return lifecycle.Errorf(lifecycle.Invalid, "brief allows unknown merge field %q: use some of %s", f, fieldNames())
		}
	}
	return nil
}

// Fields lists the merge fields written copy may use: those ordered, else the
// first name, the last item, the brand's name, the cart's fields in a cart
// journey and the offer's when there is one. Links, addresses and codes are
// placed by the layout, never by the writer.
func (b Brief) Fields() []string {
	if len(b.MergeFields) > 0 {
		return slices.Clone(b.MergeFields)
	}
	fields := []string{FieldFirstName, FieldLastItem, FieldBrandName}
	if b.kind() == kindCart {
		fields = append(fields, FieldCartFirstItem, FieldCartValue)
	}
	if b.Offer != nil {
		fields = append(fields, FieldOfferLabel, FieldOfferCode)
	}
	return fields
}

// Writer writes the creatives of a slot, all drafts, named a, b, c… in order.
type Writer interface {
	Write(ctx context.Context, b Brief) ([]lifecycle.Creative, error)
}

// creative is a new draft of the brief's slot.
func (b Brief) creative(i int, p lifecycle.Parts) (lifecycle.Creative, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return lifecycle.Creative{}, fmt.Errorf("new creative id: %w", err)
	}
	c := lifecycle.Creative{
		ID: lifecycle.CreativeID(id.String()), Slot: b.Slot, Channel: b.Channel,
		Variant: variantName(i), Parts: p, Status: lifecycle.CreativeDraft,
	}
	if b.Offer != nil {
		c.OfferID = b.Offer.ID
	}
	return c, nil
}

func variantName(i int) string { return string(rune('a' + i)) }
