package proof

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// table is a data set in memory.
type table struct {
	header []string
	rows   [][]string
}

func read(source io.Reader) (*table, error) {
	rows, err := csv.NewReader(source).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("the file has no rows")
	}
	return &table{rows[0], rows[1:]}, nil
}

// texts is a column.
func (t *table) texts(column string) ([]string, error) {
	i := slices.Index(t.header, column)
	if i < 0 {
		return nil, fmt.Errorf("no column %s among %v", column, t.header)
	}
	values := make([]string, len(t.rows))
	for k, row := range t.rows {
		values[k] = row[i]
	}
	return values, nil
}

// numbers is a column of numbers, or of True and False.
func (t *table) numbers(column string) ([]float64, error) {
	texts, err := t.texts(column)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(texts))
	for k, s := range texts {
		switch s {
		case "True":
			values[k] = 1
		case "False":
		default:
			if values[k], err = strconv.ParseFloat(s, 64); err != nil {
				return nil, fmt.Errorf("row %d, %s: %w", k+2, column, err)
			}
		}
	}
	return values, nil
}
