package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache/cachetest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// Passwords have what a URL escapes, and no error may show them in any form.
const (
	userPassword  = "p@ss/w:ord?hunter2"
	tokenPassword = "t#ken%hunter3"
)

// secure is a real Redis with TLS, whose certificate is of an authority of the test and for localhost, with a user, and
// a password for those who name none, as ElastiCache has either.
type secure struct {
	port  string
	roots *x509.CertPool
}

func newSecure(t *testing.T) secure {
	t.Helper()
	ca, caKey := certificate(t, nil, nil)
	leaf, key := certificate(t, ca, caKey)
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	address := tools.RedisTLS(t, file, "--requirepass", tokenPassword,
		"--user", "orchestrator", "on", ">"+userPassword, "~*", "+@all")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	s := secure{port: port, roots: x509.NewCertPool()}
	s.roots.AddCert(ca)
	return s
}

// cache connects with a login, as a URL has it, to the server by one of its names.
func (s secure) cache(t *testing.T, login, host string, roots *x509.CertPool) *redis.Cache {
	t.Helper()
	c, err := redis.New("rediss://"+login+"@"+net.JoinHostPort(host, s.port)+"/0", t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if roots != nil {
		redis.Trust(c, roots)
	}
	return c
}

// rediss:// is TLS with a server whose authority is trusted and whose name is that of the URL, and the URL's login is
// used. Others get nothing, and what is said of it shows no password.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	user := url.UserPassword("orchestrator", userPassword).String()
	token := url.UserPassword("", tokenPassword).String()
	t.Run("Conformance", func(t *testing.T) {
		cachetest.TestCache(t, cachetest.Harness{New: func(t *testing.T) cache.Cache {
			return s.cache(t, user, "localhost", s.roots)
		}})
	})
	if err := s.cache(t, token, "localhost", s.roots).Ping(t.Context()); err != nil {
		t.Errorf("a password without a user: %v", err)
	}
	other, _ := certificate(t, nil, nil)
	others := x509.NewCertPool()
	others.AddCert(other)
	for name, tt := range map[string]struct {
		login, host string
		roots       *x509.CertPool
		want        string
	}{
		"the system's authorities": {user, "localhost", nil, "certificate signed by unknown authority"},
		"another authority":        {user, "localhost", others, "certificate signed by unknown authority"},
		"another name":             {user, "127.0.0.1", s.roots, "cannot validate certificate for 127.0.0.1"},
		"a wrong password": {url.UserPassword("orchestrator", tokenPassword).String(), "localhost", s.roots,
			"WRONGPASS"},
		"an unknown user": {url.UserPassword("hunter4", userPassword).String(), "localhost", s.roots, "WRONGPASS"},
	} {
		c := s.cache(t, tt.login, tt.host, tt.roots)
		_, ok, gerr := c.Get(t.Context(), "k")
		for _, err := range []error{c.Ping(t.Context()), gerr, c.Set(t.Context(), "k", nil, time.Minute)} {
			if err == nil || ok || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Redis") ||
				strings.Contains(err.Error(), "hunter") {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
	}
	plain, err := redis.New("redis://"+user+"@localhost:"+s.port+"/0", t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	if err := plain.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("without TLS: %v", err)
	}
}

// certificate is one of localhost that a parent signs, or without one an authority.
func certificate(t *testing.T, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if parent == nil {
		c.IsCA, c.KeyUsage, c.DNSNames, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil, nil
		c.Subject.CommonName = "test authority"
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}
