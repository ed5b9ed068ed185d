package gateway

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

var errTooLarge = errors.New("the body is too large")

// readBody reads at most limit bytes, counted after decompression.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	packing, err := encoded(r.Header)
	if err != nil {
		return nil, err
	}
	if packing == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, errors.New("the body says gzip but is not")
		}
		body = z
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || int64(len(b)) > limit {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errors.New("the body cannot be read")
	}
	return b, nil
}

// respond writes v as JSON. A client that went away is nobody's error.
func respond(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}
