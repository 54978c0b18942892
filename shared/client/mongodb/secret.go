package mongodb

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// login is what AWS keeps in the secret of a DocumentDB cluster.
type login struct {
	Host     string      `json:"host"`
	Port     json.Number `json:"port"` // a number or a string of digits
	Username string      `json:"username"`
	Password string      `json:"password"`
}

// URI makes a connection URI of a secret: either it is one, or it is the JSON object that AWS keeps for a DocumentDB
// cluster (host, port, username, password), which is reached with TLS and without retryable writes, as DocumentDB has
// none. Errors never show the secret.
func URI(secret string) (string, error) {
	if !strings.HasPrefix(secret, "{") {
		return secret, nil
	}
	var l login
	if json.Unmarshal([]byte(secret), &l) != nil {
		return "", errors.New("the database's secret begins as a JSON object and does not decode: want host, port, " +
			"username and password, or a URI")
	}
	port, err := strconv.ParseUint(l.Port.String(), 10, 16)
	if err != nil || l.Host == "" || l.Username == "" || l.Password == "" {
		return "", errors.New("the database's secret lacks one of host, port, username and password")
	}
	u := url.URL{
		Scheme: "mongodb", User: url.UserPassword(l.Username, l.Password),
		Host: net.JoinHostPort(l.Host, strconv.FormatUint(port, 10)),
		Path: "/", RawQuery: "tls=true&retryWrites=false&authSource=admin",
	}
	return u.String(), nil
}

// errURI shows nothing of the URI.
var errURI = errors.New("connect to MongoDB: the URI is not valid (it is not shown, it may carry a password)")

// checkURI refuses what can't be corrected: a connection to one member alone would go on writing to it when it is no
// longer the primary, and fail for ever. On this machine it is a developer's choice.
func checkURI(o *options.ClientOptions) error {
	if o.Validate() != nil {
		return errURI
	}
	if o.Direct != nil && *o.Direct && !slices.ContainsFunc(o.Hosts, loopback) {
		return errors.New("connect to MongoDB: directConnection=true binds to one member, which may stop being the " +
			"primary: leave it out of the URI, or name the replica set")
	}
	return nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// documentDB says whether the hosts are Amazon DocumentDB's.
func documentDB(hosts []string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		return strings.Contains(h, ".docdb.amazonaws.com") || strings.Contains(h, ".docdb-elastic.amazonaws.com")
	})
}

// trust reads a file of PEM certificates, the only authorities that are then trusted.
func trust(path string) (*tls.Config, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the database's certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the database's certificate authorities: %s holds no PEM certificate", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
