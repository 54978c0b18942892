// Package release says which release of the orchestrator this is.
package release

import (
	"fmt"
	"io"
)

// Version is the release's version (https://semver.org), with -dev until it is released. A test compares it with the
// changelog.
const Version = "0.2.0-dev"

// Asked answers -version, the only argument of a program that is asked for its release; false where it is not.
func Asked(args []string, out io.Writer) bool {
	if len(args) != 1 || args[0] != "-version" && args[0] != "--version" {
		return false
	}
	fmt.Fprintln(out, "orchestrator "+Version)
	return true
}
