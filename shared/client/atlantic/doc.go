// Package atlantic is the proving service of Herodotus (https://docs.herodotus.cloud/atlantic-api) as a proof.Prover.
//
// Children are queries in a bucket; closing the bucket starts the aggregation. A query's id is a child's task; the
// aggregation's task is the bucket ("bucket:" and its id), because Atlantic makes the aggregator's query some time
// after the bucket was closed. On Starknet, Registration has a proof verified there.
//
// Nothing is submitted without having asked for the request's dedup id first, also before a repetition, so that an
// answer lost on the way does not make a second task. The interface is known from documentation that disagrees in
// places; Config has a setting for each such place.
package atlantic
