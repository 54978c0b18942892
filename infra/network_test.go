package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The functions' network may be turned on and off: CloudFormation makes subnets before it deletes others, so one that
// stays is the same resource with the same addresses, and none that comes has the addresses of one that goes. What
// runs with a network for the functions keeps the addresses that it has.
func TestLayouts(t *testing.T) {
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	alone := all["runner"].chain
	if alone.inVPC() {
		t.Fatal("the runner's chain has its functions in a network")
	}
	inside, database := alone, alone
	inside.VPC.Create, database.Mongo.DocumentDB = true, true
	database.Settings = maps.Clone(alone.Settings)
	delete(database.Settings, "MONGO_URI_SECRET")
	zips, err := testZips()
	if err != nil {
		t.Fatal(err)
	}
	on, err := synthesized(map[string]Chain{"vpc.create": inside, "mongo.documentdb": database}, zips)
	if err != nil {
		t.Fatal(err)
	}
	before := subnetsOf(all["runner"])
	public := map[string]string{"NetworkPublicSubnet1": "10.0.0.0/18", "NetworkPublicSubnet2": "10.0.64.0/18"}
	if d := cmp.Diff(public, before); d != "" {
		t.Errorf("of runners alone: %s", d)
	}
	for name, s := range on {
		after := subnetsOf(s)
		if d := cmp.Diff(map[string]string{
			"NetworkPublicSubnet1": "10.0.0.0/18", "NetworkPublicSubnet2": "10.0.64.0/18",
			"NetworkPrivateSubnet1": "10.0.128.0/18", "NetworkPrivateSubnet2": "10.0.192.0/18",
		}, after); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		ids := slices.Sorted(maps.Keys(all["runner"].of("AWS::EC2::Subnet")))
		for _, id := range ids {
			if s.of("AWS::EC2::Subnet")[id] == nil {
				t.Errorf("%s: the subnet %s goes, with what runs in it", name, id)
			}
		}
	}
}

// subnetsOf are the addresses of a stack's subnets, by logical ids without their hashes.
func subnetsOf(s template) map[string]string {
	out := map[string]string{}
	for id, p := range s.of("AWS::EC2::Subnet") {
		name, _, _ := strings.Cut(id, "Subnet")
		number := strings.TrimPrefix(id, name+"Subnet")[:1]
		out[name+"Subnet"+number], _ = p["CidrBlock"].(string)
	}
	return out
}

// Nothing names a partition: the same stack is made in the regions of AWS GovCloud.
func TestPartitions(t *testing.T) {
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	chain := all["runner"].chain
	chain.VPC.Create, chain.Snos.Image = true, "123456789012.dkr.ecr.us-gov-east-1.amazonaws.com/snos:1.0"
	zips, err := testZips()
	if err != nil {
		t.Fatal(err)
	}
	made, err := synthesizedIn("us-gov-west-1", map[string]Chain{"gov": chain}, zips)
	if err != nil {
		t.Fatal(err)
	}
	raw := string(made["gov"].raw)
	if i := strings.Index(raw, "arn:aws:"); i >= 0 {
		t.Errorf("it names the partition aws: %.200s", raw[max(0, i-100):])
	}
	if !strings.Contains(raw, "arn:aws-us-gov:scheduler:us-gov-west-1:123456789012:") {
		t.Error("no ARN of the region's partition")
	}
}
