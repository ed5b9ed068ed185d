package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	plane "touchstone/internal/control"
	"touchstone/internal/lifecycle"
	"touchstone/workflows"
)

func (a *app) reviewEdit() *cobra.Command {
	var parts lifecycle.Parts
	var textFile, htmlFile string
	command := &cobra.Command{
		Use:   "edit ID",
		Short: "Change the copy under review; somebody else then approves it",
		Long: "Replaces parts of the copy. Parts that are not given stay. Without a flag, on a terminal, opens\n" +
			"the copy in $EDITOR. An edit makes you the author: somebody else has to approve it.",
		Example: "  touchstone review edit 4f1c09aa --subject 'Spring is here' --by jane\n" +
			"  touchstone review edit 4f1c09aa --text-file copy.txt --html-file copy.html",
		Args: takes("ID"),
	}
	flags := command.Flags()
	flags.StringVar(&parts.Subject, "subject", "", "new subject line (Liquid)")
	flags.StringVar(&parts.Preheader, "preheader", "", "new preheader (Liquid)")
	flags.StringVar(&textFile, "text-file", "", "`file` with the new text part")
	flags.StringVar(&htmlFile, "html-file", "", "`file` with the new HTML part")
	by := a.signed(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		for _, f := range []struct {
			file string
			into *string
		}{{textFile, &parts.Text}, {htmlFile, &parts.HTML}} {
			if f.file == "" {
				continue
			}
			text, err := os.ReadFile(f.file)
			if err != nil {
				return unreadable(f.file, err)
			}
			*f.into = string(text)
		}
		return a.acting(cmd, func(ctx context.Context, s *session, p *plane.Plane) error {
			item, err := s.store.FindReview(ctx, args[0])
			if err != nil {
				return err
			}
			if item.Status != lifecycle.ReviewAwaiting {
				return lifecycle.Errorf(lifecycle.Conflict, "review %s is %s already", ending(item.ID), item.Status)
			}
			if item.Kind != lifecycle.ReviewCreative {
				return lifecycle.Errorf(lifecycle.Invalid, "review %s is of single touches, which cannot be edited: approve or reject it", ending(item.ID))
			}
			if parts == (lifecycle.Parts{}) {
				creative, err := s.store.Creative(ctx, item.CreativeID)
				if err != nil {
					return err
				}
				if parts, err = a.editor(ctx, creative.Parts); err != nil {
					return err
				}
			}
			if err := p.Edit(ctx, item, workflows.Decision{By: *by, Hash: item.Content, Parts: parts}); err != nil {
				return err
			}
			edited, err := p.AwaitEdit(ctx, item)
			if err != nil {
				return err
			}
			return a.print(decided{edited.ID, edited.Status, *by, edited.Content, edited.Waiting}, func() {
				a.say("edited %s by %s: the copy is now %s, and somebody else has to approve it", ending(edited.ID), *by, hash(edited.Content))
			})
		})
	}
	return command
}

// Marks between the parts of copy in an editor.
const (
	markSubject   = "=== subject ==="
	markPreheader = "=== preheader ==="
	markText      = "=== text ==="
	markHTML      = "=== html ==="
)

// editor lets the person change copy in their editor.
func (a *app) editor(ctx context.Context, old lifecycle.Parts) (lifecycle.Parts, error) {
	none := lifecycle.Parts{}
	program, ok := a.LookupEnv("EDITOR")
	if !ok || program == "" || !isTerminal(a.Out) {
		return none, lifecycle.Errorf(lifecycle.Invalid, "say what to change with --subject, --preheader, --text-file or --html-file, or set EDITOR and run this on a terminal")
	}
	file, err := os.CreateTemp("", "touchstone-copy-*.txt")
	if err != nil {
		return none, err
	}
	defer func() {
		if err := os.Remove(file.Name()); err != nil {
			a.note("touchstone: %v", err)
		}
	}()
	_, err = file.WriteString(sheet(old))
	if err := errors.Join(err, file.Close()); err != nil {
		return none, err
	}
	words := strings.Fields(program) // "code --wait"
	command := exec.CommandContext(ctx, words[0], append(words[1:], file.Name())...)
	command.Stdin, command.Stdout, command.Stderr = a.In, a.Out, a.Err
	if err := command.Run(); err != nil {
		return none, lifecycle.Errorf(lifecycle.Invalid, "editor %s: %w", program, err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return none, err
	}
	return changed(old, unsheet(text))
}

// sheet lays copy out for an editor.
func sheet(p lifecycle.Parts) string {
	return markSubject + "\n" + p.Subject + "\n" + markPreheader + "\n" + p.Preheader + "\n" + markText + "\n" + p.Text + "\n" + markHTML + "\n" + p.HTML + "\n"
}

// unsheet is the inverse of sheet. White space around a part is dropped.
func unsheet(text []byte) lifecycle.Parts {
	var p lifecycle.Parts
	var into *string
	for line := range bytes.Lines(text) {
		switch strings.TrimSpace(string(line)) {
		case markSubject:
			into = &p.Subject
		case markPreheader:
			into = &p.Preheader
		case markText:
			into = &p.Text
		case markHTML:
			into = &p.HTML
		default:
			if into != nil {
				*into += string(line)
			}
		}
	}
	for _, part := range []*string{&p.Subject, &p.Preheader, &p.Text, &p.HTML} {
		*part = strings.TrimSpace(*part)
	}
	return p
}

// changed keeps the parts that differ.
func changed(old, edited lifecycle.Parts) (lifecycle.Parts, error) {
	differs := func(old, edited string) string {
		if strings.TrimSpace(old) == edited {
			return ""
		}
		return edited
	}
	parts := lifecycle.Parts{
		Subject: differs(old.Subject, edited.Subject), Preheader: differs(old.Preheader, edited.Preheader),
		Text: differs(old.Text, edited.Text), HTML: differs(old.HTML, edited.HTML),
	}
	if parts == (lifecycle.Parts{}) {
		return parts, lifecycle.Errorf(lifecycle.Invalid, "nothing was changed")
	}
	return parts, nil
}
