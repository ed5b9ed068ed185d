package ingest

import (
	"encoding/csv"
	"errors"
	"os"
	"strconv"
	"strings"

	"touchstone/internal/lifecycle"
)

// rejects writes refused rows to a file: line, reason, row. The file is made
// with the first of them.
type rejects struct {
	path   string
	append bool // a resumed import goes on where it stopped
	file   *os.File
	csv    *csv.Writer
}

func (r *rejects) write(line int64, reason error, raw []byte) error {
	if r.file == nil {
		if err := r.create(); err != nil {
			return err
		}
	}
	return r.csv.Write([]string{strconv.FormatInt(line, 10), reason.Error(), strings.ToValidUTF8(string(raw), "\uFFFD")})
}

func (r *rejects) create() error {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if r.append {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(r.path, flags, 0o600)
	if err != nil {
		return lifecycle.Errorf(lifecycle.Invalid, "create reject file: %w", err)
	}
	r.file, r.csv = f, csv.NewWriter(f)
	if info, err := f.Stat(); err != nil || info.Size() > 0 {
		return err
	}
	return r.csv.Write([]string{"line", "reason", "row"})
}

// flush puts what was written on disk, before the batch it belongs to commits:
// an interruption repeats rejected rows rather than losing them.
func (r *rejects) flush() error {
	if r.file == nil {
		return nil
	}
	r.csv.Flush()
	return r.csv.Error()
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.flush(), r.file.Close())
}
