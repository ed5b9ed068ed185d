// Package copywriter writes, checks and renders the copy of touches.
//
// A Desk asks a language model for structured copy (headline, paragraphs, call
// to action) and lays it out itself, so a model never writes HTML, links,
// addresses or offer terms; when the model is down, slow, over budget, refuses
// or writes something the guardrails object to, the shipped templates take
// over. What the model is told comes from the brand file, the offer catalogue
// and the journey alone: nothing a customer ever wrote is part of a prompt, so
// customer text can never be an instruction.
//
// A Renderer fills the merge fields of approved copy for one customer. The
// fields are a typed allow-list; values are cleaned and escaped.
//
// Level 3: imports brand and lifecycle.
package copywriter
