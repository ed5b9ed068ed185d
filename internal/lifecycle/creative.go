package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// OfferKind says what an offer gives.
type OfferKind string

// Offer kinds.
const (
	PercentOff   OfferKind = "percent"
	AmountOff    OfferKind = "amount"
	FreeShipping OfferKind = "free_shipping"
)

// Offer is an incentive from the brand's catalogue, never invented by a model.
type Offer struct {
	ID       string
	Kind     OfferKind
	Percent  int    // with PercentOff, 1-100
	Amount   Money  // with AmountOff: the discount; with FreeShipping: what shipping costs the brand
	Code     string // what the customer types at checkout
	ValidFor time.Duration
	Label    string // "10% off your next order"
}

// Cost is what the offer costs the brand when redeemed on an order of this total.
func (o Offer) Cost(order Money) Money {
	switch o.Kind {
	case PercentOff:
		return Money{Amount: order.Amount * int64(o.Percent) / 100, Currency: order.Currency}
	case AmountOff, FreeShipping:
		return Money{Amount: min(o.Amount.Amount, max(order.Amount, 0)), Currency: order.Currency}
	}
	return Money{Currency: order.Currency}
}

// CreativeStatus is the place of a creative in its review.
type CreativeStatus string

// Creative states. Only an approved creative is ever sent.
const (
	CreativeDraft    CreativeStatus = "draft"
	CreativeInReview CreativeStatus = "in_review"
	CreativeApproved CreativeStatus = "approved"
	CreativeRejected CreativeStatus = "rejected"
	CreativeRetired  CreativeStatus = "retired"
)

// CreativeSource says who wrote a creative.
type CreativeSource string

// Creative sources.
const (
	FromTemplate CreativeSource = "template"
	FromModel    CreativeSource = "model"
	FromPerson   CreativeSource = "person"
)

// Parts are the Liquid sources of a message. SMS and push use Subject (push
// title) and Text only.
type Parts struct {
	Subject   string `json:"subject,omitempty"`
	Preheader string `json:"preheader,omitempty"`
	HTML      string `json:"html,omitempty"`
	Text      string `json:"text"`
}

// Creative is copy for one slot and channel. Variants of one slot are the arms
// of an experiment.
type Creative struct {
	ID         CreativeID
	Slot       string
	Channel    Channel
	Variant    string
	OfferID    string // the offer the copy presents; empty = none
	Parts      Parts
	Source     CreativeSource
	Author     string // who wrote or edited it last; may not approve it
	Status     CreativeStatus
	ApprovedBy string
	CreatedAt  time.Time
	Model      string // model name when Source is FromModel
	Cost       Money  // of generating it
}

// ContentHash identifies the copy a reviewer approved: slot, channel, offer and
// parts. SHA-256 over their JSON, hex.
func (c Creative) ContentHash() string {
	b, err := json.Marshal(struct {
		Slot    string
		Channel Channel
		Offer   string
		Parts   Parts
	}{c.Slot, c.Channel, c.OfferID, c.Parts})
	if err != nil {
		panic("lifecycle: strings always marshal: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Message is a creative rendered for one customer, ready for a channel.
type Message struct {
	TouchID        TouchID
	Channel        Channel
	Class          MessageClass
	To             string // e-mail address or E.164 number
	ToName         string
	From           string // sender address
	FromName       string
	ReplyTo        string
	Subject        string
	Preheader      string
	HTML           string
	Text           string
	UnsubscribeURL string // one-click, RFC 8058
	PreferencesURL string // the customer's preference page
	ConfirmURL     string // confirms a consent, in messages that ask for it; empty otherwise
	Categories     []string
}
