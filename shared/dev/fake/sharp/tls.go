package sharp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"time"
)

// Credentials are what a client of mutual TLS needs, in PEM.
type Credentials struct{ ClientCert, ClientKey, ServerCert string }

// mutual makes certificates as the gateway has them: the server's is self-signed, CA:TRUE and for no address. Only the
// client certificate that comes out is let in.
func mutual() (*tls.Config, Credentials, error) {
	serverCert, serverKey, err := certificate("gateway", true)
	if err != nil {
		return nil, Credentials{}, err
	}
	clientCert, clientKey, err := certificate("customer", false)
	if err != nil {
		return nil, Credentials{}, err
	}
	pair, err := tls.X509KeyPair([]byte(serverCert), []byte(serverKey))
	if err != nil {
		return nil, Credentials{}, err
	}
	block, _ := pem.Decode([]byte(clientCert))
	conf := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 || string(cs.PeerCertificates[0].Raw) != string(block.Bytes) {
				return errors.New("another client's certificate")
			}
			return nil
		},
	}
	return conf, Credentials{ClientCert: clientCert, ClientKey: clientKey, ServerCert: serverCert}, nil
}

func certificate(name string, ca bool) (cert, key string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), nil
}

// silent drops the server's complaints about handshakes, which tests provoke.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
