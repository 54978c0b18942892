package config_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

func valid() map[string]string {
	return map[string]string{
		"CHAIN_NAME": "dev", "CHAIN_LAYER": "l2", "CHAIN_ID": "SN_DEV", "CHAIN_RPC": "http://127.0.0.1:9944",
		"MONGO_URI": "mongodb://127.0.0.1:27017", "AWS_BUCKET": "b", "AWS_TOPIC_ARN": "arn", "AWS_BUS": "bus",
		"SETTLEMENT_RPC": "http://127.0.0.1:8545", "SETTLEMENT_CHAIN_ID": "31337",
		"SETTLEMENT_CONTRACT":   "0x0000000000000000000000000000000000000001",
		"SETTLEMENT_KEY_SECRET": "key", "SETTLEMENT_ADDRESS": "0x0000000000000000000000000000000000000003",
		"SNOS_URL": "http://127.0.0.1:9000",
	}
}

// atlantic are valid settings of an L2 on a test network with one that differs.
func atlantic(name, value string) map[string]string {
	m := map[string]string{"PROVER_KIND": "atlantic", "PROVER_KEY_SECRET": "k", "PROVER_ATLANTIC_NETWORK": "TESTNET"}
	m[name] = value
	return m
}

// starknet are valid settings of an L3 on Starknet with one that differs.
func starknet(name, value string) map[string]string {
	m := map[string]string{"SETTLEMENT_ADDRESS": "", "CHAIN_LAYER": "l3", "SETTLEMENT_KIND": "starknet",
		"SETTLEMENT_CHAIN_ID": "SN_SEPOLIA", "SETTLEMENT_CONTRACT": "0xc0de", "SETTLEMENT_ACCOUNT": "0xacc"}
	m[name] = value
	return m
}

func TestStarknetIsValid(t *testing.T) {
	t.Parallel()
	m := valid()
	maps.Copy(m, starknet("CHAIN_NAME", "dev"))
	c, err := config.FromEnviron(environ(m))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.TxPolicy(); p.Confirmations != 1 || p.Gas != 0 {
		t.Errorf("policy %+v is not Starknet's", p)
	}
	m["SETTLEMENT_FEE_CAP"], m["SETTLEMENT_VERIFIER"], m["PROVER_KEY_SECRET"],
		m["PROVER_ACCOUNT"] = "5", "0xf", "registrar", "0xacc2"
	if c, err = config.FromEnviron(environ(m)); err != nil || c.TxPolicy().FeeCap.Int64() != 5 {
		t.Errorf("fee cap %s, %v", c.TxPolicy().FeeCap, err)
	}
}

func environ(m map[string]string) []string {
	var lines []string
	for k, v := range m {
		lines = append(lines, config.Prefix+k+"="+v)
	}
	return lines
}

func TestValid(t *testing.T) {
	t.Parallel()
	c, err := config.FromEnviron(append(environ(valid()), "PATH=/bin"))
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Limits(); l.SnosBlocks != 10 || l.Blocks != 100 || l.Capacity() != 6*4096-15 {
		t.Errorf("the defaults are not the reference's: %+v", l)
	}
}

func TestAtlanticIsValid(t *testing.T) {
	t.Parallel()
	m := valid()
	maps.Copy(m, atlantic("CHAIN_NAME", "dev"))
	if _, err := config.FromEnviron(environ(m)); err != nil {
		t.Fatal(err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		set  map[string]string
		want string
	}{
		"missing RPC":     {map[string]string{"CHAIN_RPC": ""}, "CHAIN_RPC: missing"},
		"no URL":          {map[string]string{"CHAIN_RPC": "localhost"}, "CHAIN_RPC: not an http"},
		"unknown layer":   {map[string]string{"CHAIN_LAYER": "l4"}, "CHAIN_LAYER"},
		"both Mongo URIs": {map[string]string{"MONGO_URI_SECRET": "x"}, "MONGO_URI_SECRET: give either"},
		"credentials in a URI": {map[string]string{"MONGO_URI": "mongodb://u:hunter2@h"},
			"MONGO_URI: it carries credentials"},
		"no address": {map[string]string{"SETTLEMENT_ADDRESS": ""}, "SETTLEMENT_ADDRESS: missing"},
		"address of KMS": {map[string]string{"SETTLEMENT_KMS_KEY": "k", "SETTLEMENT_KEY_SECRET": ""},
			"SETTLEMENT_ADDRESS: means nothing"},
		"address on starknet": {starknet("SETTLEMENT_ADDRESS", "0x1"),
			"SETTLEMENT_ADDRESS: means nothing on Starknet"},
		"two keys":            {map[string]string{"SETTLEMENT_KMS_KEY": "x"}, "2 are given"},
		"misspelt":            {map[string]string{"CHIAN_NAME": "x"}, "CHIAN_NAME: no such setting"},
		"not a number":        {map[string]string{"BATCH_BLOCKS": "many"}, "BATCH_BLOCKS: "},
		"negative fee cap":    {map[string]string{"SETTLEMENT_FEE_CAP": "-1"}, "SETTLEMENT_FEE_CAP"},
		"unknown prover":      {map[string]string{"PROVER_KIND": "oracle"}, "PROVER_KIND"},
		"batch without queue": {map[string]string{"SNOS_KIND": "batch"}, "SNOS_BATCH_QUEUE: missing"},
		"batch at a URL": {map[string]string{"SNOS_KIND": "batch", "SNOS_BATCH_QUEUE": "q",
			"SNOS_BATCH_DEFINITION": "d"}, "SNOS_URL: means nothing with SNOS_KIND batch"},
		"queue of http":  {map[string]string{"SNOS_BATCH_QUEUE": "q"}, "SNOS_BATCH_QUEUE: means nothing"},
		"grpc over http": {map[string]string{"SNOS_KIND": "grpc"}, "want grpcs://host:port"},
		"grpc without port": {map[string]string{"SNOS_KIND": "grpc", "SNOS_URL": "grpcs://snos"},
			"want grpcs://host:port"},
		"token in the clear": {map[string]string{"SNOS_KIND": "grpc", "SNOS_URL": "grpc://snos:1",
			"SNOS_TOKEN_SECRET": "t"}, "can be read on the way"},
		"authority without TLS": {map[string]string{"SNOS_KIND": "grpc", "SNOS_URL": "grpc://127.0.0.1:1",
			"SNOS_CA_SECRET": "ca"}, "SNOS_CA_SECRET"},
		"address": {map[string]string{"SETTLEMENT_CONTRACT": "0x1"}, "want an Ethereum address"},
		"name of a chain": {map[string]string{"SETTLEMENT_CHAIN_ID": "SN_SEPOLIA"},
			"want Ethereum's chain id in decimal"},
		"no runner":            {map[string]string{"SNOS_URL": ""}, "SNOS_URL: missing"},
		"registrar's key only": {map[string]string{"PROVER_KEY_SECRET": "x"}, "PROVER_KEY_SECRET"},
		"atlantic without key": {atlantic("PROVER_KEY_SECRET", ""), "PROVER_KEY_SECRET: missing"},
		"atlantic's network":   {atlantic("PROVER_ATLANTIC_NETWORK", "MOON"), "PROVER_ATLANTIC_NETWORK"},
		"proofs paid for tests": {atlantic("PROVER_ATLANTIC_NETWORK", "MAINNET"),
			"settlement layer \"31337\" is none"},
		"mainnet on testnet": {atlantic("SETTLEMENT_CHAIN_ID", "1"), "is a main network"},
		"atlantic l3":        {atlantic("CHAIN_LAYER", "l3"), "PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH"},
		"sharp l3": {map[string]string{"PROVER_KIND": "sharp", "CHAIN_LAYER": "l3"},
			"sharp registers facts on Ethereum only"},
		"sharp needs all": {map[string]string{"PROVER_KIND": "sharp"},
			"PROVER_SHARP_CUSTOMER_ID: missing"},
		"sharp needs verifier": {map[string]string{"PROVER_KIND": "sharp"}, "SETTLEMENT_VERIFIER: missing"},
		"sharp needs URL":      {map[string]string{"PROVER_KIND": "sharp"}, "PROVER_URL: missing"},
		"another's settings": {map[string]string{"PROVER_ATLANTIC_NETWORK": "TESTNET"},
			"means nothing with the prover mock"},
		"starknet for an l2":        {starknet("CHAIN_LAYER", "l2"), "its updates carry blobs"},
		"no account":                {starknet("SETTLEMENT_ACCOUNT", ""), "SETTLEMENT_ACCOUNT: missing"},
		"account is not an address": {starknet("SETTLEMENT_ACCOUNT", "me"), "SETTLEMENT_ACCOUNT: \"me\""},
		"contract of ethereum": {starknet("SETTLEMENT_CONTRACT",
			"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), "SETTLEMENT_CONTRACT"},
		"kms on starknet":     {starknet("SETTLEMENT_KMS_KEY", "k"), "KMS has no keys of the STARK curve"},
		"sidecar on starknet": {starknet("SETTLEMENT_SIDECAR", "v1"), "SETTLEMENT_SIDECAR: means nothing"},
		"unknown arguments":   {starknet("SETTLEMENT_ARGUMENTS", "3"), "SETTLEMENT_ARGUMENTS"},
		"decimal chain id":    {starknet("SETTLEMENT_CHAIN_ID", "1"), "SETTLEMENT_CHAIN_ID"},
		"sharp on starknet":   {starknet("PROVER_KIND", "sharp"), "sharp registers facts on Ethereum only"},
		"registrar's account": {starknet("PROVER_ACCOUNT", "0x1"), "PROVER_ACCOUNT"},
		"account on ethereum": {map[string]string{"SETTLEMENT_ACCOUNT": "0x1"},
			"SETTLEMENT_ACCOUNT: means nothing"},
		"unknown layer kind":      {map[string]string{"SETTLEMENT_KIND": "bitcoin"}, "SETTLEMENT_KIND"},
		"data of an l2":           {map[string]string{"DA_KIND": "none"}, "DA_KIND: none: an l2's state updates"},
		"data of an l2 elsewhere": {map[string]string{"DA_KIND": "ethereum"}, "DA_KIND: ethereum: an l2's"},
		"unknown data layer":      {starknet("DA_KIND", "celestia"), "DA_KIND: \"celestia\""},
		"data node for nothing":   {starknet("DA_RPC", "https://a.example"), "DA_RPC: means nothing with"},
		"data key for nothing":    {starknet("DA_KEY_SECRET", "k"), "DA_KEY_SECRET: means nothing with DA_KIND"},
		"no data node":            {starknet("DA_KIND", "ethereum"), "DA_RPC: missing"},
		"no data chain":           {starknet("DA_KIND", "ethereum"), "DA_CHAIN_ID: missing"},
		"no data key":             {starknet("DA_KIND", "ethereum"), "DA_KEY_SECRET: give one of it, DA_KEY"},
		"no data account":         {starknet("DA_KIND", "ethereum"), "DA_ADDRESS: missing"},
		"a beacon of Starknet":    {starknet("SETTLEMENT_BEACON", "https://b.example"), "it belongs to Ethereum"},
		"a URI for a name": {map[string]string{"MONGO_URI_SECRET": "mongodb://u:hunter2@h"},
			"MONGO_URI_SECRET: this looks like a secret value"},
		"a key for a name": {map[string]string{"SETTLEMENT_KEY_SECRET": "0x" + strings.Repeat("ab", 32)},
			"SETTLEMENT_KEY_SECRET: this looks like a secret value"},
		"JSON for a name": {map[string]string{"SNOS_TOKEN_SECRET": `{"token":"hunter2"}`},
			"SNOS_TOKEN_SECRET: this looks like a secret value"},
		"a key for a file": {map[string]string{"SETTLEMENT_KEY_FILE": strings.Repeat("ab", 32)},
			"SETTLEMENT_KEY_FILE: this looks like a key"},
		"fee token is not hex": {map[string]string{"CHAIN_FEE_TOKEN_ADDRESS": "0xzz"},
			"CHAIN_FEE_TOKEN_ADDRESS"},
		"fee token is 0": {map[string]string{"CHAIN_ETH_FEE_TOKEN_ADDRESS": "0x0"},
			"CHAIN_ETH_FEE_TOKEN_ADDRESS"},
		"a key is not a felt": {
			map[string]string{
				"CHAIN_DA_PUBLIC_KEYS": "0x1,0x800000000000011000000000000000000000000000000000000000000000001"},
			"CHAIN_DA_PUBLIC_KEYS"},
		"two nodes of SNOS": {map[string]string{"SNOS_RPC": "https://a", "SNOS_RPC_SECRET": "b"},
			"SNOS_RPC_SECRET"},
		"SNOS node with a version": {map[string]string{"SNOS_RPC": "https://a/rpc/v0_10_2/"},
			"the path of one RPC version"},
		"SNOS node with a key": {map[string]string{"SNOS_RPC": "https://a/?apikey=hunter2"},
			"SNOS_RPC: it has a query"},
		"SNOS node with a password": {map[string]string{"SNOS_RPC": "https://u:hunter2@a"},
			"SNOS_RPC: it carries a user or password"},
		"SNOS node's secret in clear": {map[string]string{"SNOS_URL": "http://runner.example",
			"SNOS_RPC_SECRET": "node"}, "over http:// it can be read"},
		"unknown queues": {map[string]string{"QUEUE_KIND": "rabbit"}, "QUEUE_KIND"},
		"brokers of SQS": {map[string]string{"QUEUE_BROKERS": "a:1"}, "for QUEUE_KIND kafka"},
		"no brokers":     {map[string]string{"QUEUE_KIND": "kafka"}, "QUEUE_BROKERS: missing"},
		"no broker's port": {map[string]string{"QUEUE_KIND": "kafka", "QUEUE_BROKERS": "a:1,kafka://b"},
			"broker 2 of 2"},
		"unknown auth": {map[string]string{"QUEUE_KIND": "kafka", "QUEUE_BROKERS": "a:1", "QUEUE_AUTH": "x"},
			"QUEUE_AUTH"},
		"no password for Kafka": {map[string]string{"QUEUE_KIND": "kafka", "QUEUE_BROKERS": "a:1",
			"QUEUE_AUTH": "plain"}, "QUEUE_AUTH_SECRET"},
		"no websocket": {map[string]string{"CHAIN_WEBSOCKET": "https://a"}, "CHAIN_WEBSOCKET: not a ws"},
		"a websocket with a key": {map[string]string{"CHAIN_WEBSOCKET": "wss://a/?apikey=hunter2"},
			"CHAIN_WEBSOCKET: it holds"},
		"two websockets": {map[string]string{"CHAIN_WEBSOCKET": "wss://a", "CHAIN_WEBSOCKET_SECRET": "b"},
			"CHAIN_WEBSOCKET_SECRET"},
		"a setting that is gone": {map[string]string{"CHAIN_CONFIG_HASH": "0x1"}, "it is computed from CHAIN_ID"},
		"keys where Atlantic had them": {map[string]string{"PROVER_ATLANTIC_DA_PUBLIC_KEYS": "0x1"},
			"it is CHAIN_DA_PUBLIC_KEYS now"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := valid()
			for k, v := range tt.set {
				m[k] = v
			}
			_, err := config.FromEnviron(environ(m))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want it to say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "abababab") {
				t.Error("the error shows a secret")
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.FromEnviron([]string{config.Prefix + "BATCH_BLOCKS=x", config.Prefix + "NONSENSE=1"})
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"CHAIN_NAME", "CHAIN_LAYER", "CHAIN_RPC", "MONGO_URI", "AWS_BUCKET",
		"SETTLEMENT_RPC", "NONSENSE", "BATCH_BLOCKS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
}

// dataOnEthereum are valid settings of an L3 on Starknet whose data go to Ethereum.
func dataOnEthereum() map[string]string {
	m := valid()
	maps.Copy(m, starknet("DA_KIND", "ethereum"))
	maps.Copy(m, map[string]string{"DA_RPC": "https://a.example,https://b.example", "DA_CHAIN_ID": "1",
		"DA_KEY_SECRET": "da", "DA_ADDRESS": "0x0000000000000000000000000000000000000004", "DA_FEE_CAP": "77"})
	return m
}

func TestDataIsValid(t *testing.T) {
	t.Parallel()
	c, err := config.FromEnviron(environ(dataOnEthereum()))
	if err != nil {
		t.Fatal(err)
	}
	p, l := c.DA.Layer().TxPolicy(), c.Limits()
	if p.FeeCap.Int64() != 77 || p.Confirmations == c.TxPolicy().Confirmations || len(c.DA.Layer().Nodes()) != 2 ||
		c.DA.Name() != "ethereum/1" || l.DAWords != l.Capacity() {
		t.Errorf("policy %+v, limits %+v, name %s", p, l, c.DA.Name())
	}
	m := valid()
	maps.Copy(m, starknet("DA_KIND", "none"))
	if c, err = config.FromEnviron(environ(m)); err != nil || c.DA.Name() != "" || c.Limits().DAWords != 0 {
		t.Errorf("none: %v, %d words", err, c.Limits().DAWords)
	}
}

// A wallet must not be used by two senders that do not know of each other.
func TestDataOnTheSettlementLayer(t *testing.T) {
	t.Parallel()
	m := dataOnEthereum()
	for k, v := range valid() {
		if strings.HasPrefix(k, "SETTLEMENT_") {
			m[k] = v
		}
	}
	m["SETTLEMENT_KIND"], m["SETTLEMENT_ACCOUNT"], m["SETTLEMENT_CHAIN_ID"] = "ethereum", "", "1"
	if _, err := config.FromEnviron(environ(m)); err == nil ||
		!strings.Contains(err.Error(), "DA_KIND: the settlement layer is the same Ethereum") {
		t.Error(err)
	}
}

// Segments are compared where a beacon node is configured on an L2, and elsewhere where it is asked for.
func TestCompares(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  map[string]string
		want bool
	}{
		"l2":             {map[string]string{}, false},
		"l2 with beacon": {map[string]string{"SETTLEMENT_BEACON": "https://b.example"}, true},
		"l2, asked for":  {map[string]string{"DA_COMPARE": "true"}, true},
		"l3":             {starknet("CHAIN_NAME", "dev"), false},
		"l3, asked for":  {starknet("DA_COMPARE", "true"), true},
	} {
		m := valid()
		maps.Copy(m, c.set)
		if got, err := config.FromEnviron(environ(m)); err != nil || got.Compares() != c.want {
			t.Errorf("%s: %t, %v", name, got.Compares(), err)
		}
	}
}
