// Package functions compiles the functions as they are deployed. All who need their programs, infra too, share one
// folder for each kind of build, so that each program is linked once.
package functions

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// Variant is how functions are compiled.
type Variant struct {
	Architecture string // of the processor in Lambda's words: arm64 or x86_64
	Kafka        bool   // with the client of Kafka, see shared/setup/cloud/kafka.go
	OS           string // in Go's words; "" is Lambda's, linux
}

// Here is a variant for this machine, where functions run as processes.
func Here(kafka bool) Variant {
	v := Variant{Architecture: runtime.GOARCH, Kafka: kafka}
	if v.Architecture == "amd64" {
		v.Architecture = "x86_64"
	}
	if runtime.GOOS != "linux" {
		v.OS = runtime.GOOS
	}
	return v
}

// goarch are the names that Go has for Lambda's processors.
var goarch = map[string]string{"arm64": "arm64", "x86_64": "amd64"}

// Folder is where the variant's programs lie in a checkout of the project.
func (v Variant) Folder() string {
	name := v.Architecture
	if v.OS != "" {
		name = v.OS + "-" + name
	}
	if v.Kafka {
		name += "-kafka"
	}
	return filepath.Join("build", "functions", name)
}

// Tags are those of go build.
func (v Variant) Tags() string {
	if v.Kafka {
		return "lambda.norpc,kafka"
	}
	return "lambda.norpc"
}

// Compile compiles functions for Lambda's provided.al2023 and returns the folder of the programs, which have the
// functions' names. root is the project's; without names all are compiled. What is up to date is left alone. Another
// process that compiles the same variant is waited for. The same sources and the same Go give the same bytes.
func Compile(ctx context.Context, root string, v Variant, names ...string) (string, error) {
	arch := goarch[v.Architecture]
	if arch == "" {
		return "", fmt.Errorf("architecture %q: want arm64 or x86_64", v.Architecture)
	}
	dir, err := filepath.Abs(filepath.Join(root, v.Folder()))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return "", fmt.Errorf("build the functions: want the folder of the checkout: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("build the functions: wait for another process that does, which holds %s: %w",
			lock.Path(), err)
	}
	defer lock.Close()
	// The build ID stays in the programs: by it go build sees that one needs no linking again.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", v.Tags(), "-ldflags", "-s -w", "-o", dir + "/"}
	for _, n := range names {
		args = append(args, "./functions/"+n)
	}
	if len(names) == 0 {
		args = append(args, "./functions/...")
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+cmp.Or(v.OS, "linux"), "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	return dir, nil
}
