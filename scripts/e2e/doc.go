// Package e2e runs the compiled Lambda functions on real components: mongod, the AWS emulator and anvil. It has only
// tests.
package e2e
