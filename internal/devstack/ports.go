package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"

	"touchstone/internal/lifecycle"
)

// Engine ports are drawn from this range. It lies below the ranges from which
// Linux and macOS draw the local ports of outgoing connections, so that an
// engine that restarts finds its port free.
const portLow, portHigh = 20000, 30000

const loopback = "127.0.0.1"

// ports remembers which engine listened where, so that links stay good over
// restarts. The file is a convenience: an unreadable one is drawn anew.
type ports struct {
	file string // empty: remember nothing
	mu   sync.Mutex
	used map[string]int
}

func loadPorts(file string) (*ports, error) {
	p := &ports{file: file, used: map[string]int{}}
	if file == "" {
		return p, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ports of the last run: %w", err)
	}
	p.used = parsePorts(b)
	return p, nil
}

// parsePorts returns the usable entries of a ports file.
func parsePorts(b []byte) map[string]int {
	var all map[string]int
	if json.Unmarshal(b, &all) != nil {
		return map[string]int{}
	}
	for name, port := range all {
		if port < 1 || port > 65535 {
			delete(all, name)
		}
	}
	if all == nil {
		all = map[string]int{}
	}
	return all
}

// pick returns the engine's last port when it is still free, else a new one.
func (p *ports) pick(engine string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := p.used[engine]; last != 0 && portFree(last) {
		return last, nil
	}
	for range 200 {
		port := portLow + rand.IntN(portHigh-portLow)
		if p.taken(port) || !portFree(port) {
			continue
		}
		p.used[engine] = port
		return port, p.save()
	}
	return 0, lifecycle.Errorf(lifecycle.Unavailable, "no free port between %d and %d on %s", portLow, portHigh, loopback)
}

func (p *ports) taken(port int) bool {
	for _, other := range p.used {
		if other == port {
			return true
		}
	}
	return false
}

func (p *ports) save() error {
	if p.file == "" {
		return nil
	}
	b, err := json.MarshalIndent(p.used, "", "  ")
	if err != nil {
		return fmt.Errorf("encode ports: %w", err)
	}
	if err := os.WriteFile(p.file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("remember ports: %w", err)
	}
	return nil
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
