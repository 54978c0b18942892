package settle

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
)

// node is a connection to one node.
type node interface {
	Ping(ctx context.Context) error
	Probe(ctx context.Context) (head uint64, err error)
}

// nodes are the nodes of a layer, and how they are chosen.
type nodes[N node] struct {
	all []N
	set *several.Set
}

// open connects the nodes at some URLs.
func open[N node](p *cloud.Process, chainID string, urls []string, slack uint64, wrongChain error,
	dial func(url, chainID string) (N, error)) (nodes[N], error) {
	var ns nodes[N]
	names := make([]string, len(urls))
	for i, u := range urls {
		n, err := dial(u, chainID)
		if err != nil {
			return ns, err
		}
		ns.all, names[i] = append(ns.all, n), nameOf(i, u)
	}
	ns.set = several.New(several.Options{
		Names: names, Slack: slack, WrongChain: wrongChain, Now: time.Now, Log: p.Log,
		Probe: func(ctx context.Context, i int) (uint64, error) { return ns.all[i].Probe(ctx) },
	})
	return ns, nil
}

// nameOf names a node for people: by its host, unless that looks like a key.
func nameOf(i int, raw string) string {
	name := fmt.Sprintf("node %d", i+1)
	u, err := url.Parse(raw)
	if err != nil || slices.ContainsFunc(strings.Split(u.Hostname(), "."), config.KeyLike) {
		return name
	}
	return name + " (" + u.Hostname() + ")"
}

// Nodes implements Layer.
func (ns nodes[N]) Nodes(ctx context.Context) (string, error) {
	if len(ns.all) == 1 {
		return "", ns.all[0].Ping(ctx)
	}
	return ns.set.Look(ctx)
}

// each makes one of something for every node, of which i is the number.
func each[N node, T any](ns nodes[N], one func(i int, n N) (T, error)) ([]T, error) {
	out := make([]T, len(ns.all))
	for i, n := range ns.all {
		var err error
		if out[i], err = one(i, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// at is the wallet on a node; nil where there are none, as for readers.
func at[W any](ws []*W, i int) *W {
	if ws == nil {
		return nil
	}
	return ws[i]
}

// chain is a wallet that has one of ws on each node.
func chain[N node, W tx.Chain](ns nodes[N], ws []W) tx.Chain {
	if len(ws) == 1 {
		return ws[0]
	}
	return several.NewChain(ns.set, as[tx.Chain](ws)...)
}

// contract is the core contract, which is read through one of cs on each node.
func contract[N node, C settlement.Contract](ns nodes[N], cs []C) settlement.Contract {
	if len(cs) == 1 {
		return cs[0]
	}
	return several.NewContract(ns.set, as[settlement.Contract](cs)...)
}

// archive is what was published, which is read through one of list on each node.
func archive[N node, A da.Archive](ns nodes[N], list []A) da.Archive {
	if len(list) == 1 {
		return list[0]
	}
	return several.NewArchive(ns.set, as[da.Archive](list)...)
}

// facts is the fact registry, which is read through one of fs on each node.
func facts[N node, F proof.FactChecker](ns nodes[N], fs []F) proof.FactChecker {
	if len(fs) == 1 {
		return fs[0]
	}
	return several.NewFacts(ns.set, as[proof.FactChecker](fs)...)
}

// registrar is the development registry that has one of rs on each node.
func registrar[N node, R proof.Registry](ns nodes[N], rs []R) proof.Registry {
	if len(rs) == 1 {
		return rs[0]
	}
	return several.NewRegistrar(ns.set, as[proof.Registry](rs)...)
}

// as are the same values as a port.
func as[P, T any](ts []T) []P {
	out := make([]P, len(ts))
	for i, t := range ts {
		out[i] = any(t).(P)
	}
	return out
}
