package cloud_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

// The URLs of nodes and of the cache are read from secrets, and neither their errors nor those of the nodes show what
// is in them.
func TestURLsFromSecrets(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const key = "hunter2hunter2"
	secret := func(value string) string {
		file := filepath.Join(t.TempDir(), "url")
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		return secrets.FilePrefix + file
	}
	node, noNode := secret("http://127.0.0.1:1/v2/"+key), secret("ftp://127.0.0.1/"+key)
	cache, noCache := secret("redis://:"+key+"@127.0.0.1:1/0"), secret("http://"+key)
	process := func(chain, settlement, redis string) *cloud.Process {
		return &cloud.Process{Secrets: secrets.New(aws.Config{}), Config: config.Config{
			Chain:      config.Chain{Name: "dev", ID: "DEV", Layer: stage.L2, RPCSecret: chain},
			Redis:      config.Redis{URLSecret: redis},
			Settlement: config.Settlement{Kind: config.EthereumLayer, ChainID: "1", RPCSecret: settlement},
		}}
	}
	p := process(node, node, cache)
	if _, err := appchain.Source(ctx, p); err != nil {
		t.Fatal(err)
	}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Nodes(ctx); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("a node that is not there: %v", err)
	}
	for name, p := range map[string]*cloud.Process{
		"chain": process(noNode, node, ""), "no secret": process(secrets.FilePrefix+"/nowhere", node, ""),
		"cache": process(node, node, noCache),
	} {
		if _, err := appchain.Source(ctx, p); err == nil || strings.Contains(err.Error(), key) ||
			!strings.Contains(err.Error(), "file:/") && !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := settle.Open(ctx, process(node, noNode, "")); err == nil || strings.Contains(err.Error(), key) ||
		!strings.Contains(err.Error(), noNode) {
		t.Errorf("settlement layer: %v", err)
	}
}
