#!/usr/bin/env bash
# Guess: after exec.Cmd.Wait, ProcessState.SysUsage().(*syscall.Rusage).Maxrss is the peak memory of the child that ran.
# Found (Go 1.26.8, Linux): it is at least the memory of the program that started it. Go starts a child with clone(CLONE_VM|CLONE_VFORK); until the child
# runs its own program it has the parent's memory, and at exec Linux counts that into ru_maxrss. /bin/true, started by a program that holds 300 MB,
# "peaks" at 300 MB and more; /proc/PID/status VmHWM, read while the child runs, is the child's own. Whoever measures children in a test or a tool
# measures the parent. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
printf 'module x\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func main() {
	var keep []byte
	for _, mb := range []int{0, 300} {
		keep = make([]byte, mb<<20)
		for i := 0; i < len(keep); i += 4096 {
			keep[i] = 1
		}
		cmd := exec.Command("/bin/cat")
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(in, "ready")
		bufio.NewReader(out).ReadString('\n') // it runs its own program now
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		own := 0
		for line := range strings.Lines(string(status)) {
			fmt.Sscanf(line, "VmHWM: %d kB", &own)
		}
		in.Close()
		cmd.Wait()
		peak := int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
		fmt.Printf("parent holds %d MB: own peak below 20 MB %t, Maxrss 300 MB and more %t\n", mb, own > 0 && own < 20<<10, peak >= 300<<10)
	}
	_ = keep[len(keep)-1]
}
GO
go run . | tee seen
cat >want <<'TXT'
parent holds 0 MB: own peak below 20 MB true, Maxrss 300 MB and more false
parent holds 300 MB: own peak below 20 MB true, Maxrss 300 MB and more true
TXT
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
