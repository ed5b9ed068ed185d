package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"touchstone/internal/lifecycle"
)

// source is an opened input: its decompressed text, how much of it was read,
// and an identity under which progress is kept.
type source struct {
	text  io.Reader
	read  *counter
	total int64  // bytes on disk; 0 = unknown
	hash  string // empty = cannot resume
	close func() error
}

// counter counts bytes as they are read, for progress.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// open opens the file at path, or reads from r when path is empty or "-".
// Text compressed with gzip is recognised by its first two bytes.
func open(path string, r io.Reader, salt string) (*source, error) {
	s := &source{close: func() error { return nil }}
	if path == "" || path == "-" {
		if r == nil {
			return nil, lifecycle.Errorf(lifecycle.Invalid, "nothing to import: name a file or give a reader")
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, lifecycle.Errorf(lifecycle.NotFound, "open import file: %w", err)
		}
		s.close = f.Close
		if s.hash, s.total, err = fingerprint(f, salt); err != nil {
			return nil, errors.Join(fmt.Errorf("read import file: %w", err), f.Close())
		}
		r = f
	}
	s.read = &counter{r: r}
	buffered := bufio.NewReaderSize(s.read, 256<<10)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("read import file: %w", err), s.close())
	}
	s.text = buffered
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, errors.Join(lifecycle.Errorf(lifecycle.Invalid, "the file looks like gzip but is damaged: %w", err), s.close())
		}
		s.text = z
	}
	return s, nil
}

// fingerprint identifies a regular file by salt, size, change time and the
// SHA-256 of its first megabyte, so that an interrupted import of the same file
// finds its place and a changed file does not. Pipes have no fingerprint.
func fingerprint(f *os.File, salt string) (hash string, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if info.IsDir() {
		return "", 0, fmt.Errorf("%s is a folder: name a file", f.Name())
	}
	if !info.Mode().IsRegular() {
		return "", 0, nil
	}
	h := sha256.New()
	if _, err := fmt.Fprintf(h, "%s\n%d\n%d\n", salt, info.Size(), info.ModTime().UnixNano()); err != nil {
		return "", 0, err
	}
	if _, err := io.CopyN(h, f, 1<<20); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), info.Size(), nil
}
