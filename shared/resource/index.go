package resource

// Collections of the database.
const (
	JobsCollection        = "jobs"
	SnosCollection        = "snos_batches"
	AggregatorsCollection = "aggregator_batches"
	LocksCollection       = "locks"
	PausesCollection      = "pauses"
	ReportsCollection     = "alerts"  // what was reported to the operators and lasts
	RewindsCollection     = "rewinds" // one document: the record of rewinds
	HistoryCollection     = "history" // what the removed documents sum up to
	PacesCollection       = "paces"   // how long the work of others took
)

// Key is one field of an index.
type Key struct {
	Field string
	Order int // 1 or -1
}

// Index is one index of the database. Every query of client/mongodb is served by one of these or by _id.
type Index struct {
	Collection string
	Name       string
	Keys       []Key
	Unique     bool
	// Partial indexes only the documents that have this field.
	Partial string
}

// DueIndex is the index of jobs by when their next action is due.
const DueIndex = "due"

// Indexes are all indexes.
func Indexes() []Index {
	asc := func(fields ...string) []Key {
		keys := make([]Key, len(fields))
		for i, f := range fields {
			keys[i] = Key{Field: f, Order: 1}
		}
		return keys
	}
	var out []Index
	out = append(out,
		Index{Collection: JobsCollection, Name: "type_internal", Keys: asc("type", "internal_id"), Unique: true},
		Index{Collection: JobsCollection, Name: "type_status_internal", Keys: asc("type", "status", "internal_id")},
		Index{Collection: JobsCollection, Name: DueIndex, Keys: asc("due_at", "_id"), Partial: "due_at"},
	)
	for _, c := range []string{SnosCollection, AggregatorsCollection} {
		out = append(out,
			Index{Collection: c, Name: "status_index", Keys: asc("status", "_id")},
			Index{Collection: c, Name: "start_block", Keys: asc("start_block")},
		)
	}
	return out
}
