package copywriter

import (
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// Occasion is what a touch adds to the brand and the customer.
type Occasion struct {
	Offer          *lifecycle.Offer // nil = no offer
	OfferUntil     time.Time        // last instant of the offer; zero = no deadline
	UnsubscribeURL string
	PreferencesURL string
	ConfirmURL     string // empty unless a consent waits for confirmation
	CartValue      lifecycle.Money
	CartFirstItem  string
	CartURL        string
}

// FieldsOf gathers the merge field values of one touch. Dates are shown in the
// customer's zone, or the brand's when it is unknown.
func FieldsOf(b *brand.Brand, p lifecycle.Profile, o Occasion) Fields {
	f := Fields{
		FieldFirstName: p.Customer.FirstName, FieldLastItem: p.Orders.LastItem,
		FieldBrandName: b.Name, FieldBrandAddress: b.Sender.PostalAddress, FieldBrandSMSName: b.Sender.SMSName,
		FieldShopURL: b.Links.Shop, FieldUnsubscribeURL: o.UnsubscribeURL, FieldPreferencesURL: o.PreferencesURL, FieldConfirmURL: o.ConfirmURL,
		FieldCartValue: o.CartValue, FieldCartFirstItem: o.CartFirstItem, FieldCartURL: o.CartURL,
	}
	if o.CartValue.Amount <= 0 {
		delete(f, FieldCartValue)
	}
	if o.Offer != nil {
		f[FieldOfferLabel] = o.Offer.Label
		f[FieldOfferCode] = o.Offer.Code
		if !o.OfferUntil.IsZero() {
			zone := time.UTC
			for _, name := range []string{p.Customer.TimeZone, b.TimeZone} {
				if z, err := time.LoadLocation(name); err == nil && name != "" {
					zone = z
					break
				}
			}
			f[FieldOfferExpiresOn] = o.OfferUntil.In(zone)
		}
	}
	return f
}
