package cloud

import (
	"io"
	"log/slog"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

// newLog is a function's log: each line is one JSON object with time, level, msg and the chain's name, which the
// alarms' metrics and the dashboard's query read.
func newLog(to io.Writer, least slog.Level, environ []string) *slog.Logger {
	chain := ""
	for _, line := range environ {
		if v, ok := strings.CutPrefix(line, config.Prefix+"CHAIN_NAME="); ok {
			chain = v
		}
	}
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: least})).With("chain", chain)
}
