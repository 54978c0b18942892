package secrets_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestGet(t *testing.T) {
	t.Parallel()
	tools.AWS(t, testGet)
}

func testGet(t *testing.T, endpoint string) {
	t.Helper()
	cfg := devcloud.Config(endpoint)
	api := secretsmanager.NewFromConfig(cfg)
	for name, value := range map[string]string{"sec/plain": " hunter2\n", "sec/json": `{"key":"hunter3","n":4}`,
		"sec/empty": " "} {
		if _, err := api.CreateSecret(t.Context(),
			&secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(value)}); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("hunter4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := secrets.New(cfg)
	for name, want := range map[string]string{"sec/plain": "hunter2",
		"sec/json#key": "hunter3", "file:" + file: "hunter4"} {
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
	if _, err := api.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("sec/plain"),
		SecretString: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "sec/plain"); err != nil || got != "hunter2" {
		t.Errorf("kept secret is %q, %v", got, err)
	}
}

// A rotated secret is found once it has been kept for its time, and not asked for before.
func TestChanged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := secrets.New(aws.Config{})
	c.Now = func() time.Time { return now }
	file := filepath.Join(t.TempDir(), "key")
	write := func(v string) {
		if err := os.WriteFile(file, []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(changed, fault bool) {
		t.Helper()
		if got, err := c.Changed(t.Context()); got != changed || (err != nil) != fault {
			t.Errorf("changed %t, %v; want %t, an error %t", got, err, changed, fault)
		}
	}
	write("one")
	if _, err := c.Get(t.Context(), secrets.FilePrefix+file); err != nil {
		t.Fatal(err)
	}
	write("two")
	want(false, false)
	now = now.Add(secrets.DefaultTTL)
	want(true, false)
	if v, err := c.Get(t.Context(), secrets.FilePrefix+file); err != nil || v != "two" {
		t.Errorf("it is %q, %v", v, err)
	}
	now = now.Add(secrets.DefaultTTL)
	want(false, false)
	now = now.Add(secrets.DefaultTTL)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want(false, true)
}
