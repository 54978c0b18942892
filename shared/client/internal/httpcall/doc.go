// Package httpcall makes HTTP requests to proving services for their clients: bounded answers, uploads and downloads as
// streams, pauses between attempts as the service asks for, and errors that show neither keys nor URLs.
//
// A client makes single attempts with Do and Stream and repeats them with Retry, so that it can look before it repeats
// a request that may have been taken.
package httpcall
