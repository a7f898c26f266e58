package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, nil
}

// sizeUnits are the units of a size, the larger first; binary ones before decimal ones of their rank.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10},
	{"kB", 1e3}, {"B", 1},
}

var errSize = errors.New("not a size, such as 512KiB, 20MB or 1048576")

// ParseSize reads a number of bytes: a whole number, then perhaps a unit (B, kB, KiB, MB, MiB and so on, in any case).
func ParseSize(text string) (int64, error) {
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errSize
	}
	factor, ok := sizeUnit(strings.TrimPrefix(text[digits:], " "))
	switch {
	case !ok:
		return 0, errSize
	case err != nil || n > math.MaxInt64/factor:
		return 0, errors.New("too large a number")
	}
	return n * factor, nil
}

func sizeUnit(name string) (bytes int64, ok bool) {
	if name == "" {
		return 1, true
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(u.name, name) {
			return u.bytes, true
		}
	}
	return 0, false
}

// FormatSize writes a number of bytes in the largest unit that leaves it whole. ParseSize reads it back.
func FormatSize(n int64) string {
	for _, u := range sizeUnits {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

var errDuration = errors.New("not a duration, such as 30s, 10m, 24h or 14d")

// ParseDuration reads a duration as Go writes it, with days besides: "90s", "1h30m", "14d", "1d12h". It is not negative.
func ParseDuration(text string) (time.Duration, error) {
	var days time.Duration
	rest := text
	if count, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(count, 10, 31)
		if errors.Is(err, strconv.ErrRange) || err == nil && n > uint64(math.MaxInt64/day) {
			return 0, errors.New("too long a time")
		}
		if err != nil {
			return 0, errDuration
		}
		if days, rest = time.Duration(n)*day, after; rest == "" {
			return days, nil
		}
	}
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		return 0, errDuration
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, errDuration
	}
	if days > math.MaxInt64-d {
		return 0, errors.New("too long a time")
	}
	return days + d, nil
}

// FormatDuration writes a duration without parts that are zero, in days from two of them on. ParseDuration reads it back.
func FormatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	default:
		return false, errors.New("neither true nor false")
	}
}
