package gateway

import (
	"bytes"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

//go:embed preferences.html confirm.html
var pageFiles embed.FS

var (
	preferencesTemplate = template.Must(template.ParseFS(pageFiles, "preferences.html"))
	confirmTemplate     = template.Must(template.ParseFS(pageFiles, "confirm.html"))
)

// render writes a page that loads nothing, runs nothing, leaks no referrer (the
// address holds the token) and is not stored.
func (s *Server) render(w http.ResponseWriter, status int, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		s.fail(w, t.Name(), err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have gone
}

// clientIP is the address a request came from, as proof: the connection's, or what
// the proxy in front says in the header that the configuration trusts.
func (s *Server) clientIP(r *http.Request) string {
	if s.ClientIPHeader != "" {
		// A list names the clients first to last; only the last was added by our proxy.
		values := strings.Split(r.Header.Get(s.ClientIPHeader), ",")
		if ip, err := netip.ParseAddr(strings.TrimSpace(values[len(values)-1])); err == nil {
			return ip.String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// clip keeps at most n bytes of a text that came with a request.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// language is what a browser asks for first.
func language(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	first, _, _ = strings.Cut(first, ";")
	return strings.TrimSpace(first)
}
