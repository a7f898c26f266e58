package operations

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

// large marks a test of one goroutine whose subject is size: the race detector finds nothing there, and takes minutes.
func large(t *testing.T) {
	t.Helper()
	if underRace > 1 {
		t.Skip("its subject is size: `make plain` runs it, without the race detector")
	}
}
