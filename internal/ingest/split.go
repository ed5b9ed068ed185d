package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds one record: a CSV row with its quoted line breaks, or one
// JSON line. A quote that is never closed must not swallow the file.
const maxRecord = 1 << 20

// splitter cuts text into records and numbers their lines. It holds at most
// one record.
type splitter struct {
	r       *bufio.Reader
	quoted  bool // line breaks inside double quotes belong to the record (CSV)
	line    int64
	pending [][]byte // lines read ahead while looking for a closing quote
	buf     []byte
}

func newSplitter(r io.Reader, quoted bool) *splitter {
	return &splitter{r: bufio.NewReaderSize(r, 256<<10), quoted: quoted}
}

// next returns the next record without its line break and the number of its
// first line. The bytes are valid until the following call. A record that is
// too long or has an unclosed quote comes with a Rejection; reading goes on
// after it. io.EOF ends the text.
func (s *splitter) next() (record []byte, line int64, err error) {
	first, tooLong, err := s.readLine()
	if err != nil {
		return nil, 0, err
	}
	s.line++
	line = s.line
	if tooLong {
		return first, line, reject("", "the line is longer than %d KB", maxRecord>>10)
	}
	if !s.quoted || bytes.Count(first, []byte{'"'})%2 == 0 {
		return first, line, nil
	}
	return s.joined(first, line)
}

// joined reads on until the quotes of a record are balanced. If they never are,
// it gives the first line back as a rejection and keeps the others for later.
func (s *splitter) joined(first []byte, line int64) ([]byte, int64, error) {
	s.buf = append(s.buf[:0], first...)
	length := len(first) // the reader reuses the bytes of first
	var ahead [][]byte
	for {
		more, tooLong, err := s.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if err == nil {
			ahead = append(ahead, bytes.Clone(more))
		}
		if err != nil || tooLong || len(s.buf)+len(more) > maxRecord {
			s.pending = append(ahead, s.pending...)
			return s.buf[:length], line, reject("", "a quote is opened and never closed")
		}
		s.buf = append(append(s.buf, '\n'), more...)
		if bytes.Count(more, []byte{'"'})%2 == 1 {
			s.line += int64(len(ahead))
			return s.buf, line, nil
		}
	}
}

// readLine returns the next line without its break; of a line longer than
// maxRecord only the beginning.
func (s *splitter) readLine() (line []byte, tooLong bool, err error) {
	if len(s.pending) > 0 {
		line, s.pending = s.pending[0], s.pending[1:]
		return line, false, nil
	}
	line, err = s.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = s.r.ReadSlice('\n')
			if len(long) <= maxRecord {
				long = append(long, line...)
			}
		}
		line = long
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, false, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
	if len(line) > maxRecord {
		return line[:200], true, nil
	}
	return line, false, nil
}
