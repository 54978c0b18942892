package redis

import "crypto/x509"

// Trust lets a test have an authority of its own: what is deployed trusts those of its system, ElastiCache's among
// them. Before the first request.
func Trust(c *Cache, p *x509.CertPool) { c.api.Options().TLSConfig.RootCAs = p }
