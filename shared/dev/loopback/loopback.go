// Package loopback guards programs that serve HTTP on this machine alone. Listening on a loopback address keeps other
// machines out, but not the pages that a browser on this machine shows: by DNS rebinding, a page's own host name may
// come to point here.
package loopback

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// Guard passes requests on that name this machine in Host and, where a browser says it, in Origin: localhost or a
// loopback address, with any port. Others get 403 (Forbidden): no page of another site reads an answer or changes
// something.
func Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !here(r.Host) {
			http.Error(w, "Host: this program serves localhost and loopback addresses only", http.StatusForbidden)
			return
		}
		for _, o := range r.Header.Values("Origin") {
			if u, err := url.Parse(o); err != nil || u.Scheme != "http" && u.Scheme != "https" || !here(u.Host) {
				http.Error(w, "Origin: pages of other sites may not use this program", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Listen listens at an address of this machine alone, such as 127.0.0.1:8080; another one is refused.
func Listen(address string) (net.Listener, error) {
	if host, _, err := net.SplitHostPort(address); err != nil || !here(host) {
		return nil, fmt.Errorf("%q: want a loopback address such as 127.0.0.1:8080", address)
	}
	return net.Listen("tcp", address)
}

// here says whether a host, with or without port, is this machine.
func here(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if n := len(name); n > 2 && name[0] == '[' && name[n-1] == ']' {
		name = name[1 : n-1]
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
