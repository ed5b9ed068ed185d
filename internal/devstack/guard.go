package devstack

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardScript reads "watch SIGNAL PID" and "forget PID" lines. At the end of
// its input, which comes when this process ends for whatever reason, it signals
// what is still watched, waits up to ten seconds, kills the rest and removes
// the folders given as arguments.
const guardScript = `
alive() { # a zombie that nobody collects is not
	kill -0 "$1" 2>/dev/null || return 1
	[ -r "/proc/$1/stat" ] || return 0
	read -r _ _ state _ <"/proc/$1/stat"
	[ "$state" != Z ]
}
watched=""
while read -r op a b; do
	case $op in
	watch) watched="$watched $a:$b" ;;
	forget)
		rest=""
		for w in $watched; do [ "${w#*:}" = "$a" ] || rest="$rest $w"; done
		watched=$rest ;;
	leave) exit 0 ;;
	esac
done
for w in $watched; do kill -"${w%%:*}" "${w#*:}" 2>/dev/null; done
i=0
while [ $i -lt 100 ]; do
	left=""
	for w in $watched; do alive "${w#*:}" && left=1; done
	[ -z "$left" ] && break
	i=$((i + 1))
	sleep 0.1 2>/dev/null || sleep 1
done
for w in $watched; do kill -KILL "${w#*:}" 2>/dev/null; done
[ $# -eq 0 ] || rm -rf -- "$@"
`

// guard is a shell in a session of its own that outlives this process just
// long enough to end the engines and remove temporary folders.
type guard struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
}

// startGuard starts the shell. The folders are removed if this process dies
// before leave is called; pass only folders made for this run.
func startGuard(folders ...string) (*guard, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", guardScript, "touchstone-guard"}, folders...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard process: %w", err)
	}
	return &guard{cmd: cmd, in: in}, nil
}

func (g *guard) tell(format string, args ...any) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := fmt.Fprintf(g.in, format+"\n", args...); err != nil {
		return fmt.Errorf("talk to the guard process: %w", err)
	}
	return nil
}

func (g *guard) watch(pid int, sig syscall.Signal) error { return g.tell("watch %d %d", int(sig), pid) }

// forget is called when a process has been reaped. A guard that is already gone
// has nothing to forget, so the error means nothing to anybody.
func (g *guard) forget(pid int) { _ = g.tell("forget %d", pid) }

// leave ends the guard without any action. A second call does nothing.
func (g *guard) leave() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cmd == nil {
		return nil
	}
	_, err := io.WriteString(g.in, "leave\n")
	err = errors.Join(err, g.in.Close(), g.cmd.Wait())
	g.cmd = nil
	if err != nil {
		return fmt.Errorf("end the guard process: %w", err)
	}
	return nil
}
