package operations

import (
	"context"

	"concord/transport"
	"concord/transport/api"
)

// code is what stands behind one line of the table: see the fields of transport.Operation.
type code struct {
	handle func(context.Context, *transport.Request, reply)
	blocks bool
	stream func(context.Context, *transport.Request, func(transport.StreamEvent) error) error
}

// code is the code behind each operation of api.Table.
func (s *Service) code() map[string]code {
	return map[string]code{
		"collection.put":     {handle: s.collectionPut},
		"collection.patch":   {handle: s.collectionPatch},
		"collection.get":     {handle: s.collectionGet, blocks: true},
		"collection.delete":  {handle: s.collectionDelete},
		"collection.list":    {handle: s.collectionList, blocks: true},
		"collection.revert":  {handle: s.collectionRevert},
		"collection.history": {handle: s.collectionHistory, blocks: true},
		"collection.diff":    {handle: s.collectionDiff, blocks: true},
		"collection.blame":   {handle: s.collectionBlame, blocks: true},
		"collection.events":  {handle: s.collectionEvents, blocks: true, stream: s.collectionEventStream},
		"document.put":       {handle: s.documentPut},
		"document.get":       {handle: s.documentGet, blocks: true},
		"document.delete":    {handle: s.documentDelete},
		"lock.acquire":       {handle: s.lockAcquire},
		"lock.renew":         {handle: s.lockRenew},
		"lock.release":       {handle: s.lockRelease},
		"lock.get":           {handle: s.lockGet},
		"lock.break":         {handle: s.lockBreak},
		"lock.list":          {handle: s.lockList, blocks: true},
		"lock.contest":       {handle: s.lockContest},
		"lock.outcome":       {handle: s.lockOutcome},
		"lock.withdraw":      {handle: s.lockWithdraw},
		"lock.deny":          {handle: s.lockDeny},
		"lock.accept":        {handle: s.lockAccept},
		"lock.claim":         {handle: s.lockClaim},
		"lock.keepalive":     {handle: s.lockKeepalive},
		"lock.leave":         {handle: s.lockLeave},
		"lock.queue":         {handle: s.lockKeepalive, stream: s.lockQueueStream},
		"operation.get":      {handle: s.operationGet, blocks: true},
		"operation.cancel":   {handle: s.operationCancel},
		"prompt.list":        {handle: s.promptList},
		"prompt.watch":       {handle: s.promptList, stream: s.promptStream},
		"type.put":           {handle: s.typePut},
		"type.get":           {handle: s.typeGet, blocks: true},
		"type.list":          {handle: s.typeList, blocks: true},
		"type.delete":        {handle: s.typeDelete},
		"type.try":           {handle: s.typeTry},
		"upload.open":        {handle: s.uploadOpen},
		"upload.append":      {handle: s.uploadAppend},
		"upload.close":       {handle: s.uploadClose},
		"admin.status":       {handle: s.adminStatus},
		"admin.backup":       {handle: s.adminBackup, blocks: true},
		"admin.verify":       {handle: s.adminVerify, blocks: true},
	}
}

// Table is api.Table with the service's code behind each line. It panics if a line has no code, or code has no line.
func (s *Service) Table() []*transport.Operation {
	table, behind := api.Table(), s.code()
	for _, op := range table {
		c, ok := behind[op.Name]
		if !ok {
			panic("operations: " + op.Name + " is in the table, but has no code")
		}
		op.Handle, op.Blocks, op.Stream = c.handle, c.blocks, c.stream
		delete(behind, op.Name)
	}
	for name := range behind {
		panic("operations: " + name + " has code, but is not in the table")
	}
	return table
}
