package main

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

// layerChecks ask the settlement layer, and the layer of its own that gets the chain's data where there is one.
func layerChecks(ctx context.Context, p *cloud.Process, layer settle.Layer, own settle.Own) ([]admin.Check, error) {
	checks := []admin.Check{{Name: "settlement layer", Look: layer.Nodes}}
	if own != nil {
		checks = append(checks, admin.Check{Name: "data layer", Look: own.Nodes})
	}
	for _, b := range []struct {
		name string
		of   settle.Publisher
		asks bool
	}{
		{"beacon node", layer, p.Config.Settlement.Kind == config.EthereumLayer}, // else its nodes are asked already
		{"data beacon node", own, own != nil},
	} {
		if !b.asks {
			continue
		}
		archive, err := b.of.Archive(ctx)
		if err != nil {
			return nil, err
		}
		if archive != nil {
			checks = append(checks, admin.Check{Name: b.name, Ping: archive.Ping})
		}
	}
	return checks, nil
}
