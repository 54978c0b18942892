package api_test

import (
	"bytes"
	"cmp"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// TestSchemathesis lets schemathesis make requests of openapi.yaml, right and wrong ones, and compare the answers with
// it: behind a gateway as on AWS, and on a plain server as `make run` has it. ORCHESTRATOR_API_EXAMPLES is how many
// requests an operation gets (make test-api).
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	program := tools.Program(t, "schemathesis/bin/schemathesis")
	examples := cmp.Or(os.Getenv("ORCHESTRATOR_API_EXAMPLES"), "15")
	file, err := filepath.Abs("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		serve func(*apicontroller.Handler) http.Handler
		more  []string
	}{
		"gateway": {serve: gateway},
		// it has none
		"plain": {serve: func(h *apicontroller.Handler) http.Handler { return h },
			more: []string{"--exclude-checks", "ignored_auth"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer // slog's handler locks it
			w := newWorld(t, stage.L2,
				slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})))
			srv := httptest.NewServer(tt.serve(w.Handler))
			defer srv.Close()
			// One worker: Python 3.11 can't parse in two threads at once.
			args := append([]string{"--config-file", config, "run", file, "--url", srv.URL, "--header",
				"Authorization: " + goodToken,
				"--checks", "all", "--max-examples", examples, "--seed", "1", "--workers", "1",
				"--no-color", "--warnings", "off",
				"--generation-database", "none"}, tt.more...)
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Dir = t.TempDir() // it leaves files
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "No issues found") {
				t.Errorf("%v\n%s", err, out)
			}
			srv.Close() // what still runs may log
			if log.Len() > 0 {
				t.Errorf("errors were logged: %.2000s", log.String())
			}
			if testing.Verbose() {
				t.Logf("%s", out)
			}
		})
	}
}
