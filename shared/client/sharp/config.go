package sharp

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
)

// How aggregations' job keys are made.
const (
	// KeyByDedup is a UUID of the dedup id.
	KeyByDedup = "dedup"
	// KeyByFact is the aggregation's fact; where the job of the fact failed, it is KeyByDedup's.
	KeyByFact = "fact"
)

// Config says where the gateway is and how jobs are made. Zero fields take the defaults of DefaultConfig.
type Config struct {
	// URL is the gateway's root, such as https://host:9511/v1/gateway. http is for loopback only.
	URL string
	// CustomerID is the customer's name at the gateway; required.
	CustomerID string
	// ClientCert and ClientKey are the client's certificate and private key (PKCS#8, PKCS#1 or SEC 1) in PEM; required
	// with https.
	ClientCert, ClientKey string
	// ServerCert is the server's certificate in PEM, which alone is then accepted; several may be given for a change.
	// Unset, the system's certificate authorities decide.
	ServerCert string
	// AggregationKey is KeyByDedup or KeyByFact.
	AggregationKey string
	// ProgramHashFunction is that of the facts; "": by the blocks' Starknet version, PEDERSEN until 0.14.2 and BLAKE
	// since 0.14.3.
	ProgramHashFunction string
	// Proofs says that children's proofs may be fetched.
	Proofs bool
	// MaxArtifact is the most bytes that a proof may have.
	MaxArtifact int64
	// HTTP bounds the requests.
	HTTP HTTPSettings
}

// HTTPSettings bound the requests.
type HTTPSettings = httpcall.Settings

// DefaultConfig holds the defaults of Config.
var DefaultConfig = Config{AggregationKey: KeyByDedup, MaxArtifact: 1 << 30}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field *string
		def   string
	}{{&c.AggregationKey, DefaultConfig.AggregationKey}} {
		if *f.field == "" {
			*f.field = f.def
		}
	}
	if c.MaxArtifact == 0 {
		c.MaxArtifact = DefaultConfig.MaxArtifact
	}
	c.URL = strings.TrimRight(c.URL, "/")
	return c
}

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// Validate names every fault of c at once. It shows neither keys nor certificates.
func (c Config) Validate() error {
	c = c.withDefaults()
	errs := []error{httpcall.Check("SHARP's URL", c.URL, "http", "https"), c.HTTP.Validate()}
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("SHARP: "+format, args...))
		}
	}
	fault(!wordPattern.MatchString(c.CustomerID),
		"customer id %.40q is missing or has other characters than letters, digits, _, . and -", c.CustomerID)
	fault(!slices.Contains([]string{KeyByDedup, KeyByFact}, c.AggregationKey), "aggregation key %q: want dedup or fact",
		c.AggregationKey)
	fault(c.ProgramHashFunction != "" && !wordPattern.MatchString(c.ProgramHashFunction),
		"program hash function %.40q is not a name", c.ProgramHashFunction)
	fault(c.MaxArtifact < 0, "a limit is negative")
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "http" {
		ip := net.ParseIP(u.Hostname())
		fault(u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()),
			"its URL is http to another host: want https")
		fault(c.ClientCert != "" || c.ClientKey != "" || c.ServerCert != "", "certificates are for https")
	} else if _, err := c.tls(time.Now); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// tls is the configuration of mutual TLS.
func (c Config) tls(now func() time.Time) (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(c.ClientCert), []byte(c.ClientKey))
	if err != nil {
		return nil, errors.New("SHARP: client certificate and key are missing, no PEM, or do not belong together")
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if c.ServerCert == "" {
		return out, nil
	}
	pinned, err := certificates(c.ServerCert)
	if err != nil {
		return nil, err
	}
	// The gateway's certificate is self-signed, CA:TRUE and for no name that we connect to, which the usual
	// verification refuses. It is compared as a whole instead, on every connection.
	out.InsecureSkipVerify = true
	out.VerifyConnection = func(s tls.ConnectionState) error { return pin(s.PeerCertificates, pinned, now()) }
	return out, nil
}

func certificates(in string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := []byte(in); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if b.Type != "CERTIFICATE" || err != nil {
			return nil, errors.New("SHARP: the server's certificate is not a certificate in PEM")
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, errors.New("SHARP: the server's certificate is not a certificate in PEM")
	}
	return out, nil
}

// pin accepts a server's certificate that is one of those that are pinned and is in its time.
func pin(shown, pinned []*x509.Certificate, now time.Time) error {
	if len(shown) == 0 {
		return errors.New("SHARP's server shows no certificate")
	}
	for _, p := range pinned {
		if !p.Equal(shown[0]) {
			continue
		}
		if now.Before(p.NotBefore) || now.After(p.NotAfter) {
			return fmt.Errorf("SHARP's certificate is valid from %s to %s: get the new one",
				p.NotBefore.Format(time.DateOnly), p.NotAfter.Format(time.DateOnly))
		}
		return nil
	}
	return errors.New("SHARP's server shows another certificate than the configured one")
}

// transport makes connections as configured.
func (c Config) transport(now func() time.Time) (http.RoundTripper, error) {
	t := outbound.Transport()
	t.Proxy = nil // the gateway is reached directly or not at all
	if strings.HasPrefix(c.URL, "https:") {
		conf, err := c.tls(now)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = conf
	}
	return t, nil
}
