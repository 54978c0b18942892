package secrets_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/madara-orchestrator/orchestrator/scripts/emulator"
	"github.com/madara-orchestrator/orchestrator/scripts/testenv"
	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
)

func TestGet(t *testing.T) {
	t.Parallel()
	cfg := emulator.Config(testenv.Moto(t))
	api := secretsmanager.NewFromConfig(cfg)
	for name, value := range map[string]string{"sec/plain": " hunter2\n", "sec/json": `{"key":"hunter3","n":4}`, "sec/empty": " "} {
		if _, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(value)}); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("hunter4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := secrets.New(cfg)
	for name, want := range map[string]string{"sec/plain": "hunter2", "sec/json#key": "hunter3", "file:" + file: "hunter4"} {
		for range 2 {
			if got, err := c.Get(t.Context(), name); err != nil || got != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
	}
	for _, name := range []string{"sec/none", "sec/empty", "sec/json#n", "sec/json#none", "file:/nonexistent"} {
		if _, err := c.Get(t.Context(), name); !errors.Is(err, secrets.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Get(t.Context(), "sec/plain#key"); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("a field of a plain secret: %v", err)
	}
	// Kept for a while: what is changed behind it is not asked for again at once.
	if _, err := api.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("sec/plain"), SecretString: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "sec/plain"); err != nil || got != "hunter2" {
		t.Errorf("kept secret is %q, %v", got, err)
	}
}
