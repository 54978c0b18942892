package config_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Every setting says all that docs/settings.md shows: numbers and durations a unit, everything but a switch a default
// or an example.
func TestSettingsAreDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Settings() {
		if seen[s.Name] {
			t.Errorf("%s is declared twice", s.Name)
		}
		seen[s.Name] = true
		for what, text := range map[string]string{"default": s.Default, "example": s.Example} {
			if err := parses(s.Type, text); text != "" && err != nil {
				t.Errorf("%s: its %s %q is not a value: %v", s.Name, what, text, err)
			}
		}
		if k := s.Type.Kind(); k != reflect.Bool && s.Default == "" && s.Example == "" {
			t.Errorf("%s has neither a default nor an example", s.Name)
		}
		// beyond 64 bits, so they are texts
		amount := strings.HasSuffix(s.Name, "_FEE_CAP") || strings.HasSuffix(s.Name, "_MIN_TIP")
		if number := parses(s.Type, "x") != nil && s.Type.Kind() != reflect.Bool; number != (s.Unit != "") && !amount {
			t.Errorf("%s is a %s and has the unit %q", s.Name, s.Type, s.Unit)
		}
	}
	if len(seen) < 90 {
		t.Errorf("only %d settings were found", len(seen))
	}
}

// parses says whether the text is a value of the type.
func parses(t reflect.Type, text string) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var err error
	switch {
	case t == reflect.TypeFor[time.Duration]():
		_, err = time.ParseDuration(text)
	case t.Kind() == reflect.Bool:
		_, err = strconv.ParseBool(text)
	case t.Kind() != reflect.String && t.Kind() != reflect.Slice:
		_, err = strconv.ParseUint(text, 10, 64)
	}
	return err
}

// A setting names a secret exactly if its name ends in _SECRET, and each kind of secret that a function may read has a
// setting.
func TestSecretSettings(t *testing.T) {
	t.Parallel()
	var wanted []string
	for _, f := range resource.Functions() {
		for _, s := range resource.AccessOf(f.Name).Secrets {
			wanted = append(wanted, string(s))
			if len(config.SecretSettings(string(s))) == 0 {
				t.Errorf("no setting names a secret of the kind %s, which %s may read", s, f.Name)
			}
		}
	}
	for _, s := range config.Settings() {
		if strings.HasSuffix(s.Name, "_SECRET") != (len(s.Secrets) > 0) {
			t.Errorf("%s names the kinds of secret %q", s.Name, s.Secrets)
		}
		for _, k := range s.Secrets {
			if !slices.Contains(wanted, k) {
				t.Errorf("%s names a secret of the kind %q, which no function may read", s.Name, k)
			}
		}
	}
}

// What a setting's tag says is what the configuration has.
func TestDefaultsApply(t *testing.T) {
	t.Parallel()
	c, err := config.FromEnviron(environ(valid()))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]any{
		"MONGO_POOL_SIZE": c.Mongo.PoolSize, "BATCH_WINDOW": c.Batch.Window, "LOG_LEVEL": c.LogLevel,
		"PROVER_ATLANTIC_ROUTE_CLOSE_BUCKET": c.Prover.Atlantic.WithDefaults().Routes.CloseBucket,
		"PROVER_ATLANTIC_PROVER":             c.Prover.Atlantic.WithDefaults().SharpProver,
	} {
		i := slices.IndexFunc(config.Settings(), func(s config.Setting) bool { return s.Name == name })
		if i < 0 {
			t.Errorf("%s is not a setting", name)
			continue
		}
		want := config.Settings()[i].Default
		if text := reflect.ValueOf(got); want == "" || want != toText(text) {
			t.Errorf("%s is %v without being set, its default is %q", name, got, want)
		}
	}
}

func toText(v reflect.Value) string {
	if v.CanUint() {
		return strconv.FormatUint(v.Uint(), 10)
	}
	return v.String()
}

// The URL of a service is marked as one: in production it must be encrypted.
func TestServiceURLs(t *testing.T) {
	t.Parallel()
	for _, s := range config.Settings() {
		url := strings.HasSuffix(s.Name, "RPC") || strings.HasSuffix(s.Name, "_URL") ||
			strings.HasSuffix(s.Name, "_GATEWAY") || s.Name == "OTLP_ENDPOINT" ||
			strings.HasSuffix(s.Name, "_BEACON") || strings.HasSuffix(s.Name, "_WEBSOCKET")
		if url != s.Service {
			t.Errorf("%s is marked as the URL of a service: %t, want %t", s.Name, s.Service, url)
		}
	}
}
