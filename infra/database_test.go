package main

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// DocumentDB is reached from the functions alone, encrypted, by the login that AWS keeps.
func TestDatabase(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		clusters := s.of("AWS::DocDB::DBCluster")
		if got, want := len(clusters) == 1, s.chain.Mongo.DocumentDB; got != want {
			t.Fatalf("%d clusters", len(clusters))
		}
		for _, c := range clusters {
			if c["StorageEncrypted"] != true || c["DeletionProtection"] != true {
				t.Errorf("cluster %s", text(c))
			}
			for _, f := range s.of("AWS::Lambda::Function") {
				if vars := text(f["Environment"]); !strings.Contains(vars, "/var/task/"+caFile) ||
					f["VpcConfig"] == nil {
					t.Errorf("%v can't reach the database", f["FunctionName"])
				}
			}
			for id, p := range s.of("AWS::SecretsManager::Secret") { // without its login the database would be lost
				if strings.HasPrefix(id, "Database") && s.Resources[id].DeletionPolicy != "Retain" {
					t.Errorf("the login %v goes with the stack: %q", p["Name"], s.Resources[id].DeletionPolicy)
				}
			}
			for id := range s.of("AWS::SecretsManager::SecretTargetAttachment") {
				if s.Resources[id].DeletionPolicy != "Retain" {
					t.Errorf("%s goes with the stack: %q", id, s.Resources[id].DeletionPolicy)
				}
			}
			ingress := text(s.of("AWS::EC2::SecurityGroupIngress"))
			if strings.Contains(ingress, "0.0.0.0/0") || !strings.Contains(ingress, "Port") {
				t.Errorf("the database takes %s", ingress)
			}
		}
	})
}

// The settings' table shows the path that the stack sets.
func TestAuthoritiesFile(t *testing.T) {
	env := Chain{Mongo: Mongo{DocumentDB: true}}.environment(names{})
	for _, s := range config.Settings() {
		if s.Name == "MONGO_CA_FILE" && s.Example != env[config.Prefix+s.Name] {
			t.Errorf("example %s, the stack sets %s", s.Example, env[config.Prefix+s.Name])
		}
	}
}

// Certificate authorities are those of the region.
func TestAuthorities(t *testing.T) {
	pem, err := Authorities("..", "eu-west-1")
	if err != nil {
		if os.Getenv(tools.Require) != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) || len(pem) > 20_000 {
		t.Errorf("%d bytes of authorities", len(pem))
	}
	if _, err := Authorities("..", "mars-north-1"); err == nil {
		t.Error("Mars has an authority")
	}
}
