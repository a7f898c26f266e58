package httpapi_test

import (
	"os"
	"testing"

	"concord/actors/script/quickjs"
)

// workerArgument makes the test binary a worker that runs merge scripts.
const workerArgument = "be-a-merge-worker"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerArgument {
		if err := quickjs.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
