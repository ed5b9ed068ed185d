package sandbox

import "encoding/json"

// mail is the body of POST /v3/mail/send.
type mail struct {
	Personalizations []personalization `json:"personalizations"`
	From             *address          `json:"from"`
	ReplyTo          *address          `json:"reply_to"`
	ReplyToList      []address         `json:"reply_to_list"`
	Subject          *string           `json:"subject"`
	Content          []content         `json:"content"`
	Attachments      []attachment      `json:"attachments"`
	TemplateID       string            `json:"template_id"`
	Sections         map[string]string `json:"sections"`
	Headers          map[string]string `json:"headers"`
	Categories       []string          `json:"categories"`
	CustomArgs       map[string]string `json:"custom_args"`
	SendAt           *int64            `json:"send_at"`
	BatchID          string            `json:"batch_id"`
	ASM              *asm              `json:"asm"`
	IPPoolName       *string           `json:"ip_pool_name"`
	MailSettings     *mailSettings     `json:"mail_settings"`
	Tracking         *tracking         `json:"tracking_settings"`
}

type address struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

type personalization struct {
	From                *address                   `json:"from"`
	To                  []address                  `json:"to"`
	CC                  []address                  `json:"cc"`
	BCC                 []address                  `json:"bcc"`
	Subject             *string                    `json:"subject"`
	Headers             map[string]string          `json:"headers"`
	Substitutions       map[string]string          `json:"substitutions"`
	DynamicTemplateData map[string]json.RawMessage `json:"dynamic_template_data"`
	CustomArgs          map[string]string          `json:"custom_args"`
	SendAt              *int64                     `json:"send_at"`
}

type content struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type attachment struct {
	Content     string `json:"content"`
	Type        string `json:"type"`
	Filename    string `json:"filename"`
	Disposition string `json:"disposition"`
	ContentID   string `json:"content_id"`
}

type asm struct {
	GroupID         *int  `json:"group_id"`
	GroupsToDisplay []int `json:"groups_to_display"`
}

type toggle struct {
	Enable bool `json:"enable"`
}

type mailSettings struct {
	BypassListManagement        *toggle         `json:"bypass_list_management"`
	BypassSpamManagement        *toggle         `json:"bypass_spam_management"`
	BypassBounceManagement      *toggle         `json:"bypass_bounce_management"`
	BypassUnsubscribeManagement *toggle         `json:"bypass_unsubscribe_management"`
	Footer                      json.RawMessage `json:"footer"`
	SandboxMode                 *toggle         `json:"sandbox_mode"`
}

type tracking struct {
	Click        *clickTracking  `json:"click_tracking"`
	Open         *openTracking   `json:"open_tracking"`
	Subscription json.RawMessage `json:"subscription_tracking"`
	GAnalytics   json.RawMessage `json:"ganalytics"`
}

type clickTracking struct {
	Enable     *bool `json:"enable"`
	EnableText *bool `json:"enable_text"`
}

type openTracking struct {
	Enable          *bool  `json:"enable"`
	SubstitutionTag string `json:"substitution_tag"`
}

// sandboxMode reports whether the message is to be checked only.
func (m *mail) sandboxMode() bool {
	return m.MailSettings != nil && on(m.MailSettings.SandboxMode)
}

func on(t *toggle) bool { return t != nil && t.Enable }

// opens and clicks report whether they are tracked; the account's default is yes.
func (m *mail) opens() bool {
	return m.Tracking == nil || m.Tracking.Open == nil || m.Tracking.Open.Enable == nil || *m.Tracking.Open.Enable
}

func (m *mail) clicks() bool {
	return m.Tracking == nil || m.Tracking.Click == nil || m.Tracking.Click.Enable == nil || *m.Tracking.Click.Enable
}
