package config

import (
	"time"

	"concord/actors/authority"
	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/editsession"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/script/quickjs"
	"concord/actors/upload"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/cmr"
	"concord/transport/operations"
)

// Defaults of what no other package has a default for.
const (
	retentionVersions   = 1000
	retentionDays       = 365
	storeReserveBytes   = 1 << 30
	idempotencyMaxBytes = 4 << 30
	eventsMaxAge        = 14 * day
	eventsMaxBytes      = 4 << 30
)

// Units of the bounds.
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
	day = 24 * time.Hour
)

// Highest bounds that come from elsewhere.
const (
	partitionsMax = 1 << 14 // what the store takes
	requestsMax   = 1 << 16 // what an endpoint's subscription holds before NATS drops
	workersMax    = 64      // each is a process
	windowMax     = 256
	jobsMax       = 64
	openTasksMax  = 1000 // each is looked at before another one is taken
	openItemsMax  = 100_000_000
	editOpenMax   = 100_000
	requestMax    = 4 * mib // well below the 8 MiB of the embedded server, so that it is we who refuse
)

// table is the one list of settings, bound to the fields of c: key, flag (none: only --set), value with default and
// bounds, and what it is.
func table(c *Config) []Setting {
	limits, scripts := &c.Operations, &c.Merge.Bounds
	col, up, colDefault, upDefault := &limits.Actors.Collection, &limits.Actors.Upload, collection.DefaultLimits, upload.DefaultLimits
	kind, kindDefault := &limits.Actors.Type, collectiontype.DefaultLimits
	named, namedDefault := &limits.Actors.Authority, authority.DefaultLimits
	tasks, tasksDefault := &limits.Bulk, operations.DefaultBulk
	edits, editsDefault := &limits.Edit, operations.DefaultEdit
	return []Setting{
		{"data", "data", text(&c.Data, "data", directory), "directory of all that is stored; mem: keeps it in memory, for tests"},
		{"nats.listen", "nats", text(&c.NATS.Listen, "127.0.0.1:4222", address), "where the embedded NATS server listens; port 0 takes a free one"},
		{"nats.url", "nats-url", text(&c.NATS.URL, "", servers), "NATS servers to use instead of the embedded one"},
		{"http.listen", "http", text(&c.HTTP.Listen, "127.0.0.1:8080", address), "where HTTP listens; port 0 takes a free one"},
		{"auth", "auth", text(&c.Auth, authOff, principals), "who may call: off takes the caller's word, on loopback only; file:PATH lists the principals"},
		{"log.level", "log-level", choice(&c.Log.Level, "info", "trace", "debug", "info", "warn", "error"), "least level that is logged"},
		{"log.format", "log-format", choice(&c.Log.Format, "auto", "auto", "console", "json"), "form of the log; auto: console on a terminal, else json"},

		{"store.partitions", "", count(&c.Store.Partitions, pebblestore.DefaultPartitions, partitionsMax), "partitions of a new store; fixed from then on"},
		{"store.cache", "", size(&c.Store.CacheBytes, pebblestore.DefaultCacheBytes, 8*mib, tib), "memory for the blocks of the store"},
		{"store.reserve", "", size(&c.Store.ReserveBytes, storeReserveBytes, 0, tib), "free disk space below which writes are refused; 0: none"},
		{"retention.keep", "", choice(&c.Retention.Keep, KeepAll, KeepAll, KeepVersions, KeepDays), "which old versions stay readable"},
		{"retention.versions", "", count(&c.Retention.Versions, retentionVersions, 1_000_000_000), "versions kept of an entity, with retention.keep = versions"},
		{"retention.days", "", count(&c.Retention.Days, retentionDays, 36_500), "days that a version is kept, with retention.keep = days"},

		{"limits.document", "", size(&col.DocumentMaxBytes, colDefault.DocumentMaxBytes, kib, requestMax), "one document"},
		{"limits.metadata", "", size(&col.MetadataMaxBytes, colDefault.MetadataMaxBytes, kib, requestMax), "the metadata of a collection"},
		{"limits.type", "", size(&kind.MaxBytes, kindDefault.MaxBytes, kib, mib), "one collection type"},
		{"limits.authority", "", size(&named.RecordMaxBytes, namedDefault.RecordMaxBytes, kib, requestMax), "the record of one authority"},
		{"limits.request", "", size(&c.API.RequestMaxBytes, transport.DefaultLimits.RequestMaxBytes, 64*kib, requestMax), "one request or answer; more goes by upload or page by page"},
		{"limits.cmr", "", size(&c.CMR.BodyMaxBytes, cmr.DefaultLimits.BodyMaxBytes, 64*kib, bulk.PostedMaxBytes), "one bulk update in the words of CMR, over HTTP"},
		{"limits.header", "", size(&c.API.HeaderMaxBytes, transport.DefaultLimits.HeaderMaxBytes, 256, 64*kib), "the value of one header"},
		{"limits.version.documents", "", count(&col.VersionMaxParts, colDefault.VersionMaxParts, 100_000), "documents that one version changes"},
		{"limits.version.bytes", "", size(&col.VersionMaxBytes, colDefault.VersionMaxBytes, 64*kib, 64*mib), "contents that one version writes"},
		{"limits.patch.operations", "", count(&col.PatchMaxOperation, colDefault.PatchMaxOperation, 100_000), "operations of one JSON Patch"},
		{"limits.conflicts", "", size(&col.ConflictsMaxBytes, colDefault.ConflictsMaxBytes, 4*kib, 2*mib), "what one answer tells of conflicts; of contents two fifths of it"},
		{"limits.upload", "", size(&up.UploadMaxBytes, upDefault.UploadMaxBytes, mib, 4*gib), "one upload"},
		{"limits.upload.chunk", "", size(&up.ChunkMaxBytes, upDefault.ChunkMaxBytes, 64*kib, requestMax), "one chunk of an upload"},
		{"limits.upload.chunks", "", count(&up.ChunksMax, upDefault.ChunksMax, 10_000), "how many chunks an upload has"},
		{"limits.upload.ttl", "", duration(&up.TTL, upDefault.TTL, time.Minute, 30*day), "how long an upload is kept, used or not"},
		{"limits.page.items", "", count(&limits.PageMaxItems, operations.DefaultLimits.PageMaxItems, 10_000), "items of one page"},
		{"limits.page.default", "", count(&limits.PageItems, operations.DefaultLimits.PageItems, 10_000), "items of a page if the caller does not say"},
		{"limits.page.bytes", "", size(&limits.PageMaxBytes, operations.DefaultLimits.PageMaxBytes, 32*kib, requestMax), "contents of one page of documents"},
		{"limits.parked", "", size(&limits.ParkedMaxBytes, operations.DefaultLimits.ParkedMaxBytes, mib, tib), "updates of a provider that wait in the store for a lock"},
		{"limits.named", "", count(&limits.NamedMaxParts, operations.DefaultLimits.NamedMaxParts, 10_000), "documents that an event or a history entry names; the others are counted"},

		{"admission.entity", "", count(&c.Host.EntityInFlightMax, host.DefaultBounds.EntityInFlightMax, requestsMax), "commands of one entity that wait for their answer"},
		{"admission.partition", "", count(&c.Host.PartitionInFlightMax, host.DefaultBounds.PartitionInFlightMax, requestsMax), "commands of one partition that wait for their answer"},
		{"admission.node", "", count(&c.Host.NodeInFlightMax, host.DefaultBounds.NodeInFlightMax, requestsMax), "commands of the node that wait for their answer"},
		{"active.max", "", count(&c.Host.ActiveMax, host.DefaultBounds.ActiveMax, 10_000_000), "entities in memory; beyond it idle ones leave, oldest first; a tenth of it is for those that only jobs use"},
		{"active.idle", "", duration(&c.Host.IdleMax, host.DefaultBounds.IdleMax, time.Second, 7*day), "idle time after which an entity leaves memory"},
		{"idempotency.bytes", "", size(&c.Idempotency.MaxBytes, idempotencyMaxBytes, 16*mib, tib), "all outcomes remembered by a node; what is lost early is counted"},
		{"events.stream", "", text(&c.Events.Stream, "CONCORD_EVENTS", streamName), "name of the stream of events"},
		{"events.maxAge", "", duration(&c.Events.MaxAge, eventsMaxAge, time.Minute, 3650*day), "age at which events leave the stream"},
		{"events.maxBytes", "", size(&c.Events.MaxBytes, eventsMaxBytes, 16*mib, tib), "the stream of events; beyond it the oldest leave"},
		{"events.links.stream", "", text(&c.Events.Links.Stream, "CONCORD_LINKS", streamName), "name of the stream of link updates"},
		{"events.links.maxAge", "", duration(&c.Events.Links.MaxAge, eventsMaxAge, time.Minute, 3650*day), "age at which link updates leave the stream"},
		{"events.links.maxBytes", "", size(&c.Events.Links.MaxBytes, eventsMaxBytes, 16*mib, tib), "the stream of link updates; beyond it the oldest leave"},
		{"authorities.purgeAfter", "", duration(&named.PurgeAfter, namedDefault.PurgeAfter, time.Minute, 3650*day), "how long a deleted authority is kept; then it is gone for good"},

		{"merge.scripts", "", toggle(&c.Merge.Scripts), "runs the merge code of collection types, in processes of its own"},
		{"merge.workers", "", count(&scripts.Workers, quickjs.DefaultBounds.Workers, workersMax), "processes that run merge code"},
		{"merge.timeout", "", duration(&scripts.Timeout, quickjs.DefaultBounds.Timeout, 10*time.Millisecond, 10*time.Second), "processor time of merge code for one update; at twice that its process ends"},
		{"merge.memory", "", size(&scripts.MemoryMaxBytes, quickjs.DefaultBounds.MemoryMaxBytes, 8*mib, gib), "memory of merge code"},
		{"merge.queue", "", count(&scripts.QueueMax, quickjs.DefaultBounds.QueueMax, 4096), "updates that wait for a process that runs merge code"},

		{"propagation.window", "", count(&c.Propagation.Window, jobs.DefaultSettings.Window, windowMax), "collections of a job that are brought up to date at once; one while others have requests in flight"},
		{"propagation.jobsAtOnce", "", count(&c.Propagation.JobsAtOnce, jobs.DefaultSettings.JobsAtOnce, jobsMax), "jobs that are worked on at once; those of one cause come one after another"},
		{"propagation.linksPerSecond", "", bounded[int]{&c.Propagation.LinksPerSecondMax, jobs.DefaultSettings.LinksPerSecondMax, 0, 1_000_000_000, counts}, "links that all jobs together bring up to date in a second; 0: as many as they can"},

		{"bulk.enabled", "", toggled{&tasks.Enabled, tasksDefault.Enabled}, "takes bulk updates; off, those that are there go on"},
		{"bulk.items", "", count(&tasks.ItemsMax, tasksDefault.ItemsMax, bulk.ItemsMax), "items of one bulk task"},
		{"bulk.openTasks", "", count(&tasks.OpenTasksMax, tasksDefault.OpenTasksMax, openTasksMax), "bulk tasks of a provider that have not ended"},
		{"bulk.openItems", "", count(&tasks.OpenItemsMax, tasksDefault.OpenItemsMax, openItemsMax), "items of all bulk tasks of a provider that have not ended; one alone may have more"},
		{"bulk.retention", "", duration(&tasks.Retention, tasksDefault.Retention, time.Minute, 3650*day), "how long the list of a bulk task that has ended is kept, and what came of it"},
		{"bulk.undo", "", duration(&tasks.Undo, tasksDefault.Undo, time.Minute, 365*day), "how long what a bulk task has replaced is kept, so that it can be rolled back; at most as long as bulk.retention"},
		{"bulk.window", "", count(&c.Tasks.Window, jobs.DefaultTaskSettings.Window, windowMax), "items of a bulk task that are under way at once; one while others have requests in flight"},
		{"bulk.tasksAtOnce", "", count(&c.Tasks.TasksAtOnce, jobs.DefaultTaskSettings.TasksAtOnce, jobsMax), "bulk tasks that are worked on at once, each of another provider; those of one provider come one after another"},
		{"bulk.itemsPerSecond", "", bounded[int]{&c.Tasks.ItemsPerSecondMax, jobs.DefaultTaskSettings.ItemsPerSecondMax, 0, 1_000_000_000, counts}, "items that all bulk tasks together get through in a second; 0: as many as they can"},
		{"bulk.slice", "", duration(&c.Tasks.Slice, jobs.DefaultTaskSettings.Slice, 100*time.Millisecond, time.Hour), "how long the bulk tasks of a provider go on while those of another wait for their turn"},

		{"edit.rows", "", count(&edits.RowsMax, editsDefault.RowsMax, editsession.RowsMax), "rows of one bulk edit session: uploaded identifiers, or what a query finds"},
		{"edit.openSessions", "", count(&edits.OpenMax, editsDefault.OpenMax, editOpenMax), "bulk edit sessions of a provider that are not closed"},
		{"edit.lifetime", "", duration(&edits.Lifetime, editsDefault.Lifetime, time.Hour, 365*day), "how long a bulk edit session is open, and its steps can be taken back; then it is closed"},
		{"edit.retention", "", duration(&edits.Retention, editsDefault.Retention, time.Minute, 3650*day), "how long the rows of a closed bulk edit session are kept"},

		{"subject.prefix", "", text(&c.Subject.Prefix, "concord.v1", subjectPrefix), "how all subjects of the service begin"},
		{"backup.dir", "backup-dir", text(&c.Backup.Dir, "", path), "directory that backups are written below; none: backup in the data directory"},
		{"test.clock", "test-clock", toggle(&c.TestClock), "time stands still until a test moves it; on loopback only"},
		{"debug", "debug", toggle(&c.Debug), "offers profiles and debugging operations to callers on loopback"},
		{"respawn", "respawn", toggle(&c.Respawn), "starts the server again after a crash; not needed under systemd"},
		{"ready.file", "ready-file", text(&c.ReadyFile, "", path), "file that gets the addresses once the server is ready"},
	}
}
