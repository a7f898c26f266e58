// Package config is the one table of settings: what can be set, from when to when, and what it bounds. Everything about
// a setting derives from its line in the table: its flag, its name in the environment and in the file, its check, its
// row in the README.
//
// A value comes from the last of these that gives one: the default, the file (YAML), the environment, the flags. All
// that is given is checked, also what a later source overrides.
package config

import (
	"path/filepath"
	"strings"
	"time"

	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/script/quickjs"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/operations"
)

// MemoryData as Data keeps everything in memory: for tests and for a first look.
const MemoryData = "mem:"

// Config holds all settings. The limits stand in the types of the packages that keep to them.
type Config struct {
	Data        string // a directory, or MemoryData
	NATS        NATS
	HTTP        HTTP
	Auth        string // "off", or "file:" and a path: see AuthFile
	Log         Log
	Store       Store
	Retention   Retention
	API         transport.Limits
	CMR         CMR
	Operations  operations.Limits
	Host        host.Bounds
	Idempotency Idempotency
	Events      Events
	Merge       Merge
	Propagation jobs.Settings
	Tasks       jobs.TaskSettings // of bulk
	Subject     Subject
	Backup      Backup
	TestClock   bool
	Debug       bool
	Respawn     bool
	ReadyFile   string // empty: none

	given map[string]given // by key: where each value came from
}

// NATS says which server is used.
type NATS struct {
	Listen string // host:port of the embedded server
	URL    string // of servers that run elsewhere, with commas between; empty: the embedded one. It may hold secrets
}

// CMR is what clients of that system ask over HTTP.
type CMR struct{ BodyMaxBytes int }

// HTTP is the other API.
type HTTP struct{ Listen string }

// Log is how the log is written.
type Log struct {
	Level  string // as zerolog names it
	Format string // "auto", "console" or "json"
}

// Store are the settings of the store.
type Store struct {
	Partitions   int
	CacheBytes   int64
	ReserveBytes uint64
}

// Values of Retention.Keep.
const (
	KeepAll      = "all"
	KeepVersions = "versions"
	KeepDays     = "days"
)

// Retention is which old versions stay readable.
type Retention struct {
	Keep     string
	Versions int // with KeepVersions
	Days     int // with KeepDays
}

// Idempotency bounds what is remembered about idempotency keys.
type Idempotency struct {
	MaxBytes int64 // of this node; what is lost early is counted
}

// Events is the stream of events, and the one of link updates.
type Events struct {
	Stream   string
	MaxAge   time.Duration
	MaxBytes int64
	Links    LinkEvents
}

// LinkEvents is the stream of link updates.
type LinkEvents struct {
	Stream   string
	MaxAge   time.Duration
	MaxBytes int64
}

// Merge is how operators' merge code runs.
type Merge struct {
	Scripts bool // off: an update that needs a script is refused
	quickjs.Bounds
}

// Subject is how our subjects begin.
type Subject struct{ Prefix string }

// Backup is where backups are written.
type Backup struct{ Dir string } // empty: see BackupDir

// Default is the configuration that nobody has changed.
func Default() *Config {
	c := &Config{given: make(map[string]given)}
	for _, s := range table(c) {
		s.value.reset()
		c.given[s.Key] = given{text: s.value.show(), origin: originDefault}
	}
	return c
}

// InMemory says that nothing survives the process.
func (c *Config) InMemory() bool { return c.Data == MemoryData }

// StoreDir is the directory of the store.
func (c *Config) StoreDir() string { return filepath.Join(c.Data, "store") }

// StreamDir is the directory of the embedded server's streams while it runs alone. A server that joins a cluster empties
// the directory that it is given, so a cluster needs another one.
func (c *Config) StreamDir() string { return filepath.Join(c.Data, "nats", "solo") }

// BackupDir is the directory that backups are written below; empty if there is none: data in memory have none of their
// own.
func (c *Config) BackupDir() string {
	if c.Backup.Dir == "" && !c.InMemory() {
		return filepath.Join(c.Data, "backup")
	}
	return c.Backup.Dir
}

// AuthFile is the path of the file of principals; ok is false with auth off.
func (c *Config) AuthFile() (path string, ok bool) { return strings.CutPrefix(c.Auth, authFilePrefix) }

// StoreOptions are the options of the store as far as they are settings. An old store keeps its own count of partitions
// unless somebody asks for another one, which the store then refuses.
func (c *Config) StoreOptions() pebblestore.Options {
	o := pebblestore.Options{
		Partitions: c.Store.Partitions, CacheBytes: c.Store.CacheBytes, ReserveBytes: c.Store.ReserveBytes,
	}
	if c.Origin("store.partitions") == originDefault {
		o.Partitions = 0
	}
	return o
}

// Origin says where the value of a key came from: "default", "file <path>:<line>", "env <NAME>" or "flag --<name>".
func (c *Config) Origin(key string) string { return c.given[key].origin }

// Text is the value of a key as Show prints it, without secrets.
func (c *Config) Text(key string) string {
	for _, s := range table(c) {
		if s.Key == key {
			return s.value.mask(s.value.show())
		}
	}
	panic("config: there is no setting " + key)
}
