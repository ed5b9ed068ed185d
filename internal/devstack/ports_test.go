package devstack

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPortsStayUntilTaken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ports.json")
	first, a := pickFrom(t, file, "postgres")
	if second, err := first.pick("temporal"); err != nil || second == a {
		t.Fatalf("two engines on port %d: %v", second, err)
	}
	if _, b := pickFrom(t, file, "postgres"); b != a {
		t.Errorf("the free port moved from %d to %d", a, b)
	}
	l, err := net.Listen("tcp", address(a))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, c := pickFrom(t, file, "postgres"); c == a {
		t.Error("a taken port was picked")
	}
}

func TestUnreadablePortsAreDrawnAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ports.json")
	for _, content := range []string{"", "[]", "null", `{"postgres": -1}`, `{"postgres": 70000}`, `{"postgres": "x"}`} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, port := pickFrom(t, file, "postgres"); port < portLow || port >= portHigh {
			t.Errorf("%q: port %d", content, port)
		}
	}
}

func FuzzParsePorts(f *testing.F) {
	f.Add([]byte(`{"postgres": 20001, "temporal": 99999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, port := range parsePorts(b) {
			if port < 1 || port > 65535 {
				t.Errorf("%s on port %d", name, port)
			}
		}
	})
}

func pickFrom(t *testing.T, file, engine string) (*ports, int) {
	t.Helper()
	p, err := loadPorts(file)
	if err != nil {
		t.Fatal(err)
	}
	port, err := p.pick(engine)
	if err != nil {
		t.Fatal(err)
	}
	return p, port
}
