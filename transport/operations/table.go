package operations

import (
	"context"

	"concord/actors/bulk"
	"concord/actors/propagation"
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
		"source.put":         {handle: s.sourcePut, blocks: true},
		"source.patch":       {handle: s.sourcePatch, blocks: true},
		"source.get":         {handle: s.sourceGet, blocks: true},
		"source.delete":      {handle: s.sourceDelete, blocks: true},
		"source.list":        {handle: s.sourceList, blocks: true},
		"source.impact":      {handle: s.sourceImpact, blocks: true},
		"source.next-id":     {handle: s.sourceNextID},
		"authority.put":      {handle: s.authorityPut, blocks: true},
		"authority.get":      {handle: s.authorityGet, blocks: true},
		"authority.delete":   {handle: s.authorityDelete},
		"authority.list":     {handle: s.authorityList, blocks: true},
		"authority.import":   {handle: s.authorityImport, blocks: true},
		"authority.impact":   {handle: s.authorityImpact, blocks: true},
		"link.list":          {handle: s.linkList, blocks: true},
		"link.count":         {handle: s.linkCount, blocks: true},
		"link.suggest":       {handle: s.linkSuggest, blocks: true},
		"link.auto":          {handle: s.linkAuto, blocks: true},
		"link.audit":         {handle: s.linkAudit},
		"report.list":        {handle: s.reportList, blocks: true},
		"propagation.get":    {handle: s.propagationGet, blocks: true},
		"propagation.list":   {handle: s.propagationList, blocks: true},
		"propagation.items":  {handle: s.propagationItems, blocks: true},
		"propagation.events": {handle: s.propagationEvents, blocks: true, stream: s.propagationEventStream},
		"propagation.pause":  {handle: s.propagationVerb(&propagation.Pause{})},
		"propagation.resume": {handle: s.propagationVerb(&propagation.Resume{})},
		"propagation.cancel": {handle: s.propagationVerb(&propagation.Cancel{})},
		"propagation.retry":  {handle: s.propagationVerb(&propagation.Retry{})},
		"bulk.submit":        {handle: s.bulkSubmit, blocks: true},
		"bulk.get":           {handle: s.bulkGet, blocks: true},
		"bulk.list":          {handle: s.bulkList, blocks: true},
		"bulk.items":         {handle: s.bulkItems, blocks: true},
		"bulk.request":       {handle: s.bulkRequest, blocks: true},
		"bulk.events":        {handle: s.bulkEvents, blocks: true, stream: s.bulkEventStream},
		"bulk.pause":         {handle: s.bulkVerb(&bulk.Pause{}), blocks: true},
		"bulk.resume":        {handle: s.bulkVerb(&bulk.Resume{}), blocks: true},
		"bulk.cancel":        {handle: s.bulkVerb(&bulk.Cancel{}), blocks: true},
		"bulk.retry":         {handle: s.bulkRetry, blocks: true},
		"bulk.rollback":      {handle: s.bulkRollback, blocks: true},
		"edit.preview":       {handle: s.editRunner(readEditPreview), blocks: true},
		"edit.apply":         {handle: s.editRunner(readEditApply), blocks: true},
		"edit.rollback":      {handle: s.editRunner(readEditRollback), blocks: true},
		"edit.redo":          {handle: s.editRunner(readEditRedo), blocks: true},
		"edit.pause":         {handle: s.editVerb(&bulk.Pause{}), blocks: true},
		"edit.resume":        {handle: s.editVerb(&bulk.Resume{}), blocks: true},
		"edit.cancel":        {handle: s.editVerb(&bulk.Cancel{}), blocks: true},
		"edit.results":       {handle: s.editResults, blocks: true},
		"edit.open":          {handle: s.editOpen, blocks: true},
		"edit.match":         {handle: s.editMatch, blocks: true},
		"edit.get":           {handle: s.editGet, blocks: true},
		"edit.list":          {handle: s.editList, blocks: true},
		"edit.records":       {handle: s.editRecords, blocks: true},
		"edit.download":      {handle: s.editDownload, blocks: true},
		"edit.close":         {handle: s.editClose, blocks: true},
		"edit.events":        {handle: s.editEvents, blocks: true, stream: s.editEventStream},
		"upload.open":        {handle: s.uploadOpen},
		"upload.append":      {handle: s.uploadAppend},
		"upload.close":       {handle: s.uploadClose},
		"admin.status":       {handle: s.adminStatus},
		"admin.backup":       {handle: s.adminBackup, blocks: true},
		"admin.verify":       {handle: s.adminVerify, blocks: true},

		"propagation.rollback": {handle: s.propagationRollback, blocks: true},
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
