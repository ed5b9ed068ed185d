package ingest

import (
	"strings"
)

// splitFields cuts one CSV record (RFC 4180) into fields. Quotes may surround a
// whole field only; inside, two quotes stand for one.
func splitFields(record string, delimiter byte, fields []string) ([]string, error) {
	for {
		if !strings.HasPrefix(record, `"`) {
			i := strings.IndexByte(record, delimiter)
			field := record
			if i >= 0 {
				field = record[:i]
			}
			if strings.IndexByte(field, '"') >= 0 {
				return nil, reject("", "a quote stands inside an unquoted field")
			}
			fields = append(fields, field)
			if i < 0 {
				return fields, nil
			}
			record = record[i+1:]
			continue
		}
		record = record[1:]
		end, doubled := 0, false
		for {
			i := strings.IndexByte(record[end:], '"')
			if i < 0 {
				return nil, reject("", "a quote is opened and never closed")
			}
			end += i
			if !strings.HasPrefix(record[end+1:], `"`) {
				break
			}
			doubled = true
			end += 2
		}
		field := record[:end]
		record = record[end+1:]
		if doubled {
			field = strings.ReplaceAll(field, `""`, `"`)
		}
		fields = append(fields, field)
		if record == "" {
			return fields, nil
		}
		if record[0] != delimiter {
			return nil, reject("", "text follows a closing quote")
		}
		record = record[1:]
	}
}

// sniffDelimiter picks the delimiter of a header: the one of comma, semicolon,
// tab and bar that occurs most often.
func sniffDelimiter(header string) byte {
	best, most := byte(','), 0
	for _, d := range []byte{',', ';', '\t', '|'} {
		if n := strings.Count(header, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}
