package show

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// reportEvery is how often a progress that is on no terminal writes a line.
const reportEvery = time.Second

// Progress tells a person how far a long command is: by a bar on a terminal, by a line a second elsewhere. Its methods
// may be called by many goroutines.
type Progress struct {
	out   io.Writer
	what  string
	total int64 // bytes; 0: not known
	begin time.Time
	bar   *progressbar.ProgressBar

	mu     sync.Mutex
	bytes  int64
	items  int64
	failed int64
	note   string // instead of what is known

	stop chan struct{}
	done chan struct{}
}

// NewProgress begins a progress of items, named as one of them, over so many bytes of input, 0 if nobody knows. End it.
func NewProgress(out io.Writer, what, itemName string, totalBytes int64) *Progress {
	p := &Progress{out: out, what: what, total: totalBytes, begin: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	if Terminal(out) {
		p.bar = newBar(out, what, totalBytes)
	}
	go p.run(itemName)
	return p
}

func newBar(out io.Writer, what string, totalBytes int64) *progressbar.ProgressBar {
	if totalBytes == 0 {
		totalBytes = -1 // a spinner
	}
	return progressbar.NewOptions64(totalBytes, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// Read counts bytes of the input.
func (p *Progress) Read(bytes int64) {
	p.mu.Lock()
	p.bytes += bytes
	p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Add64(bytes) // a bar that cannot be drawn harms nobody
	}
}

// Done counts items.
func (p *Progress) Done(items, failed int) {
	p.mu.Lock()
	p.items += int64(items)
	p.failed += int64(failed)
	p.mu.Unlock()
}

// Note has a text shown from now on, while nothing can be counted.
func (p *Progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note = text
}

// End waits until nothing is written any more.
func (p *Progress) End() {
	close(p.stop)
	<-p.done
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

func (p *Progress) run(itemName string) {
	defer close(p.done)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			text := p.text(now, itemName)
			if p.bar != nil {
				p.bar.Describe(text)
				continue
			}
			_, _ = fmt.Fprintln(p.out, text)
		}
	}
}

func (p *Progress) text(now time.Time, itemName string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.note != "" {
		return p.what + ": " + p.note
	}
	took := now.Sub(p.begin)
	text := fmt.Sprintf("%s: %s, %s/s", p.what, Count(p.items, itemName), Thousands(int64(float64(p.items)/took.Seconds())))
	if p.failed > 0 {
		text += fmt.Sprintf(", %s failed", Thousands(p.failed))
	}
	if p.bar != nil || p.total == 0 || p.bytes == 0 {
		return text
	}
	share := min(1, float64(p.bytes)/float64(p.total))
	left := time.Duration(float64(took) * (1 - share) / share)
	return text + fmt.Sprintf(", %.0f %%, %v left", 100*share, left.Round(time.Second))
}

// Count is a number with its noun, which is given for one: 1 record, 2 records, 3 entities.
func Count[N ~int | ~int64 | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return Thousands(int64(n)) + " " + stem + "ies"
	}
	return Thousands(int64(n)) + " " + noun + "s"
}

// Thousands is a number with commas.
func Thousands(n int64) string {
	text := fmt.Sprint(n)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(text) - 3; i > from; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
