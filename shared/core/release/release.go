// Package release says which release of the orchestrator this is.
package release

// Version is the release's version (https://semver.org), with -dev until it is released. A test compares it with the
// changelog.
const Version = "0.2.0-dev"
