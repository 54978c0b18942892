package sharp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
)

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	s, other := start(t, fakesharp.Config{TLS: true}), start(t, fakesharp.Config{TLS: true})
	good := config(s)
	if err := good.Validate(); err != nil {
		t.Errorf("good: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*sharp.Config)
		want   string
	}{
		"NoURL":        {func(c *sharp.Config) { c.URL = "" }, "not set"},
		"HTTPAbroad":   {func(c *sharp.Config) { c.URL = "http://sharp.example:9511" }, "https"},
		"CertsOnHTTP":  {func(c *sharp.Config) { c.URL = "http://127.0.0.1:1" }, "certificates are for https"},
		"NoCustomer":   {func(c *sharp.Config) { c.CustomerID = "" }, "customer id"},
		"OddCustomer":  {func(c *sharp.Config) { c.CustomerID = "a&b=c" }, "customer id"},
		"NoKey":        {func(c *sharp.Config) { c.ClientKey = "" }, "client certificate and key"},
		"OtherKey":     {func(c *sharp.Config) { c.ClientKey = other.Credentials().ClientKey }, "belong together"},
		"NoServerPEM":  {func(c *sharp.Config) { c.ServerCert = "x" }, "server's certificate"},
		"KeyForServer": {func(c *sharp.Config) { c.ServerCert = c.ClientKey }, "server's certificate"},
		"Keys":         {func(c *sharp.Config) { c.AggregationKey = "random" }, "aggregation key"},
		"Limit":        {func(c *sharp.Config) { c.MaxArtifact = -1 }, "negative"},
	} {
		bad := good
		c.change(&bad)
		err := bad.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v; want a fault about %q", name, err, c.want)
		}
		if _, err := sharp.New(bad, &facts{}, sharp.Deps{}); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
	if _, err := sharp.New(good, nil, sharp.Deps{}); err == nil {
		t.Error("New takes no fact checker")
	}
}

// TestTLS: the pinned server and no other; the right client and no other; no certificate outside its time.
func TestTLS(t *testing.T) {
	t.Parallel()
	s, other := start(t, fakesharp.Config{TLS: true}), start(t, fakesharp.Config{TLS: true})
	ping := func(now func() time.Time, change func(*sharp.Config)) error {
		c := config(s)
		c.HTTP.Attempts = 1
		change(&c)
		p, err := sharp.New(c, &facts{}, sharp.Deps{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return p.Ping(t.Context())
	}
	keep := func(*sharp.Config) {}
	if err := ping(nil, keep); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := ping(nil,
		func(c *sharp.Config) { c.ServerCert = other.Credentials().ServerCert + c.ServerCert }); err != nil {
		t.Errorf("with two pinned certificates: %v", err)
	}
	for name, c := range map[string]struct {
		now    func() time.Time
		change func(*sharp.Config)
		want   string
	}{
		"OtherServer": {nil, func(c *sharp.Config) { c.ServerCert = other.Credentials().ServerCert },
			"another certificate"},
		"NoPin": {nil, func(c *sharp.Config) { c.ServerCert = "" }, "certificate"},
		"OtherClient": {nil, func(c *sharp.Config) {
			o := other.Credentials()
			c.ClientCert, c.ClientKey = o.ClientCert, o.ClientKey
		}, "bad certificate"},
		"Expired": {func() time.Time { return time.Now().Add(48 * time.Hour) }, keep, "get the new one"},
	} {
		err := ping(c.now, c.change)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), customer) {
			t.Errorf("%s: %v; want an error about %q", name, err, c.want)
		}
	}
}
