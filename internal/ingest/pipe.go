package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"touchstone/internal/lifecycle"
)

const (
	parsers   = 2   // goroutines that decode; the reader and the writer are two more
	chunkRows = 256 // rows handed over at once
	chunkSize = 256 << 10
	ahead     = 24 // chunks in flight: about one batch beyond the one being written
)

// chunk is a stretch of the file on its way through the pipeline.
type chunk struct {
	rows   []rawRow
	parsed []parsedRow
	done   chan struct{} // closed when parsed is complete
	err    error         // of reading; nothing follows
}

// start reads the file in the background: one reader cuts it into chunks,
// parsers decode them side by side, and the channel gives them in the order of
// the file. It is closed at the end of the file or when ctx ends; wait returns
// when all goroutines have.
func (im *importer) start(ctx context.Context) (chunks <-chan *chunk, wait func(), err error) {
	text := bufio.NewReaderSize(im.src.text, 256<<10)
	isCSV, err := sniffCSV(text)
	if err != nil {
		return nil, func() {}, lifecycle.Errorf(lifecycle.Invalid, "read import file: %w", err)
	}
	split := newSplitter(text, isCSV)
	if isCSV {
		header, _, err := split.next()
		if err != nil {
			return nil, func() {}, lifecycle.Errorf(lifecycle.Invalid, "read the header: %w", err)
		}
		if err := im.plan.takeHeader(string(header)); err != nil {
			return nil, func() {}, err
		}
	}
	ordered, work := make(chan *chunk, ahead), make(chan *chunk, ahead)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(ordered)
		defer close(work)
		im.read(ctx, split, ordered, work)
	})
	for range parsers {
		p := &parser{plan: im.plan, csv: isCSV,
			tracker: &Tracker{Currency: im.Currency, Now: im.plan.now, Source: "import", Archived: true}}
		group.Go(func() {
			for c := range work {
				c.parsed = make([]parsedRow, len(c.rows))
				for i := range c.rows {
					c.parsed[i] = p.parse(c.rows[i])
				}
				close(c.done)
			}
		})
	}
	return ordered, group.Wait, nil
}

// read cuts the file into chunks, leaving out rows an earlier import committed.
func (im *importer) read(ctx context.Context, split *splitter, ordered, work chan<- *chunk) {
	for {
		c := &chunk{done: make(chan struct{})}
		buf := make([]byte, 0, 32<<10)
		for len(c.rows) < chunkRows && len(buf) < chunkSize && c.err == nil {
			record, line, err := split.next()
			var refused *Rejection
			if err != nil && !errors.As(err, &refused) {
				c.err = err
				break
			}
			if line <= im.sum.ResumedAt {
				if ctx.Err() != nil {
					return
				}
				continue
			}
			from := len(buf)
			buf = append(buf, record...)
			r := rawRow{line: line, text: buf[from:len(buf):len(buf)]}
			if refused != nil {
				r.err = refused
			}
			c.rows = append(c.rows, r)
		}
		last := c.err != nil
		if errors.Is(c.err, io.EOF) {
			c.err = nil
		}
		select {
		case ordered <- c:
		case <-ctx.Done():
			return
		}
		work <- c // as large as ordered, and drained by parsers that never wait
		if last {
			return
		}
	}
}

// sniffCSV reports whether the text is CSV rather than JSON lines.
func sniffCSV(r *bufio.Reader) (bool, error) {
	start, err := r.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return false, err
	}
	if bom := []byte("\ufeff"); bytes.HasPrefix(start, bom) {
		start = start[len(bom):]
		if _, err := r.Discard(len(bom)); err != nil {
			return false, err
		}
	}
	start = bytes.TrimLeft(start, " \t\r\n")
	if len(start) == 0 {
		return false, errors.New("the file is empty")
	}
	if start[0] == '[' {
		return false, errors.New("the file is one JSON array: write one object per line")
	}
	return start[0] != '{', nil
}
