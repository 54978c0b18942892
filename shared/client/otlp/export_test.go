package otlp

import (
	"net/http"
	"testing"
)

// Through returns an exporter that sends through a transport.
func Through(t *testing.T, r http.RoundTripper) *Exporter {
	t.Helper()
	e, err := New(Config{URL: "http://collector.example", Chain: "c"})
	if err != nil {
		t.Fatal(err)
	}
	e.http.Transport = r
	return e
}
