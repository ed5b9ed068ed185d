package lifecycle

import "fmt"

// Channel is the medium a touch travels on.
type Channel string

// The channels a touch can travel on.
const (
	Email    Channel = "email"
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
	Push     Channel = "push"
	Web      Channel = "web"
)

// Channels lists every channel in the order used for tables and tie-breaks.
var Channels = []Channel{Email, SMS, WhatsApp, Push, Web}

// ParseChannel returns the channel named s, or an Invalid error that lists the
// known names.
func ParseChannel(s string) (Channel, error) {
	for _, c := range Channels {
		if string(c) == s {
			return c, nil
		}
	}
	return "", Errorf(Invalid, "unknown channel %q: use one of %v", s, Channels)
}

// MessageClass says under which legal regime a message is sent.
type MessageClass string

// Message classes. An unknown class is treated as Marketing, the strictest.
const (
	Marketing     MessageClass = "marketing"
	Transactional MessageClass = "transactional"
	Reply         MessageClass = "reply"
)

// ParseMessageClass returns the class named s; empty means Marketing.
func ParseMessageClass(s string) (MessageClass, error) {
	switch MessageClass(s) {
	case "", Marketing:
		return Marketing, nil
	case Transactional, Reply:
		return MessageClass(s), nil
	}
	return "", fmt.Errorf("unknown message class %q: use marketing, transactional or reply", s)
}
