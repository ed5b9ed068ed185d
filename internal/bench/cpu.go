package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/devstack"
)

func cores() int { return runtime.GOMAXPROCS(0) }

// tick is the unit of times in /proc on Linux: USER_HZ is 100 on every
// architecture Go runs on (proc(5)).
const tick = 10 * time.Millisecond

// used is processor time spent so far, in user and system mode.
type used struct {
	temporal time.Duration
	postgres time.Duration // server and all its backends
	process  time.Duration // this process: worker, gateway, sandbox and load
}

func (u used) since(earlier used) used {
	return used{u.temporal - earlier.temporal, u.postgres - earlier.postgres, u.process - earlier.process}
}

func (u used) all() time.Duration { return u.temporal + u.postgres + u.process }

// processorTime reads what the engines and this process have used. Systems
// without /proc give zeros.
func processorTime(stack *devstack.Stack) (used, error) {
	if runtime.GOOS != "linux" {
		return used{}, nil
	}
	var u used
	for _, p := range stack.Processes() {
		spent, err := familyTime(p.PID)
		if err != nil {
			return u, err
		}
		switch p.Name {
		case "temporal":
			u.temporal = spent
		case "postgres":
			u.postgres = spent
		}
	}
	own, err := readStat(os.Getpid())
	u.process = own.self
	return u, err
}

// stat is what we need of /proc/<pid>/stat.
type stat struct {
	parent int
	self   time.Duration
	waited time.Duration // of children that have ended and were waited for
}

// familyTime is the time of a process, its children and those that have ended.
func familyTime(pid int) (time.Duration, error) {
	root, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	total := root.self + root.waited
	entries, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range entries {
		source, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		if s, err := parseStat(string(source)); err == nil && s.parent == pid {
			total += s.self + s.waited
		}
	}
	return total, nil
}

func readStat(pid int) (stat, error) {
	source, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(source))
}

// parseStat reads a line of /proc/<pid>/stat (proc_pid_stat(5)): the name in
// parentheses may hold anything, the fields after it are numbered from 3.
func parseStat(line string) (stat, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 {
		return stat{}, fmt.Errorf("cannot read the process table: %.40q", line)
	}
	numbers := make([]int64, 0, 5)
	for _, i := range []int{4, 14, 15, 16, 17} {
		n, err := strconv.ParseInt(fields[i-3], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("cannot read the process table: %w", err)
		}
		numbers = append(numbers, n)
	}
	return stat{int(numbers[0]), tick * time.Duration(numbers[1]+numbers[2]), tick * time.Duration(numbers[3]+numbers[4])}, nil
}
