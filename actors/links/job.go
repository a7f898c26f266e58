package links

import (
	"fmt"
	"math"
	"time"
)

// JobTerm is the term of IndexJobs of a job that was requested at the time: the newest come first.
func JobTerm(requested time.Time) string {
	return fmt.Sprintf("%019d", math.MaxInt64-requested.UnixMicro())
}
