// Package foreign holds the tests of Concord from outside: real records, the command line as people run it, and a client
// that is not ours (JavaScript, over plain NATS). It has no code of its own.
package foreign
