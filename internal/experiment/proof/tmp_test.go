package proof

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTmp(t *testing.T) {
	s := time.Now()
	_, err := Run(Options{Seed: 1, Parts: strings.Split(os.Getenv("P"), ","), Done: func(l Line) {
		m := ""
		if l.Met != nil {
			m = fmt.Sprint(*l.Met)
		}
		fmt.Printf("%4.0fs %-12s %-60s %.5g %s [%s] %s%s\n", time.Since(s).Seconds(), l.Part, l.What, l.Measured, l.Unit, l.Target, m, l.Skipped)
	},
		Open: func(n string) (io.ReadCloser, error) {
			f, err := os.Open("/work/shared/data/" + n + "/" + n + ".csv.gz")
			if err != nil {
				return nil, err
			}
			return gzip.NewReader(f)
		}})
	fmt.Println(err)
}
