package pebblestore_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

func TestMain(m *testing.M) {
	checks := flag.Lookup("rapid.checks")
	n, err := strconv.Atoi(checks.DefValue)
	if err == nil {
		err = checks.Value.Set(strconv.Itoa(n / underRace)) // the command line may still say otherwise
	}
	if err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}
