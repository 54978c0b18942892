package mongodb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestURI(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ secret, want, fault string }{
		"uri": {"mongodb://u:p@h/db?tls=true", "mongodb://u:p@h/db?tls=true", ""},
		"documentdb": {
			`{"engine":"mongo","host":"c.docdb.amazonaws.com","port":27017,"username":"me","password":"a/b@c:d"}`,
			"mongodb://me:a%2Fb%40c%3Ad@c.docdb.amazonaws.com:27017/?tls=true&retryWrites=false&authSource=admin", ""},
		"port as text": {`{"host":"h","port":"1","username":"me","password":"p"}`,
			"mongodb://me:p@h:1/?tls=true&retryWrites=false&authSource=admin", ""},
		"no password":   {`{"host":"h","port":1,"username":"hunter2"}`, "", "lacks"},
		"port too high": {`{"host":"h","port":70000,"username":"hunter2","password":"hunter2"}`, "", "lacks"},
		"cut":           {`{"host":"hunter2`, "", "does not decode"},
	} {
		got, err := mongodb.URI(tt.secret)
		if got != tt.want || (err == nil) != (tt.fault == "") ||
			err != nil && (!strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzURI(f *testing.F) {
	for _, s := range []string{"mongodb://h", `{"host":"h","port":1,"username":"u","password":"p"}`, `{"port":{}}`,
		"{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		got, err := mongodb.URI(secret)
		if err != nil || got == secret {
			return
		}
		if u, err := url.Parse(got); err != nil || u.Scheme != "mongodb" || u.Query().Get("tls") != "true" {
			t.Errorf("%q gives no URI with TLS", secret)
		}
	})
}

// A server with a certificate of an authority of its own is used with a login as AWS keeps it, and with no other
// authority.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certificate(t, dir)
	uri := tools.MongodTLS(t, filepath.Join(dir, "server.pem"))
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	const password = "p@ss/w:ord-hunter2"
	admin, err := mongo.Connect(options.Client().ApplyURI(uri + "/?tls=true&tlsCAFile=" + ca))
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore errcheck the server ends with the test
	defer admin.Disconnect(t.Context())
	err = admin.Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "createUser", Value: "orchestrator"}, {Key: "pwd", Value: password},
		{Key: "roles", Value: bson.A{"root"}},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := json.Marshal(map[string]any{"host": u.Hostname(), "port": json.Number(u.Port()),
		"username": "orchestrator", "password": password})
	if err != nil {
		t.Fatal(err)
	}
	login, err := mongodb.URI(string(secret))
	if err != nil {
		t.Fatal(err)
	}
	ping := func(c mongodb.Config) error {
		c.Database, c.Timeout = "tls", 2*time.Second
		db, err := mongodb.Connect(c)
		if err != nil {
			return err
		}
		defer db.Close(t.Context()) // the server ends with the test
		return db.Ping(t.Context())
	}
	if err := ping(mongodb.Config{URI: login, CAFile: ca}); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	for name, c := range map[string]mongodb.Config{
		"of no authority":                {URI: login},
		"with a wrong password":          {URI: strings.Replace(login, "hunter2", "hunter3", 1), CAFile: ca},
		"of a file that is not there":    {URI: login, CAFile: filepath.Join(dir, "nothing")},
		"of a file without certificates": {URI: login, CAFile: "secret_test.go"},
	} {
		if err := ping(c); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// certificate writes server.pem (key and certificate of 127.0.0.1) and returns the path of its authority's certificate.
func certificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		DNSNames:    []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}), cert...)
	ca := filepath.Join(dir, "ca.pem")
	for path, content := range map[string][]byte{filepath.Join(dir, "server.pem"): both, ca: cert} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca
}
