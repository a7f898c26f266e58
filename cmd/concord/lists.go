package main

import (
	"fmt"
	"iter"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// Bounds of lists.
const (
	listDefault = 50   // items that a list shows if nobody says
	pageItems   = 1000 // of one request
	gridMaxRows = 1000 // rows of a table that are held before they are printed
)

// pageOf asks for pages that fit what is to be shown.
func pageOf(limit int) []client.CallOption {
	if limit <= 0 || limit > pageItems-1 {
		return []client.CallOption{client.Limit(pageItems)}
	}
	return []client.CallOption{client.Limit(limit + 1)} // one more, to know whether there is more
}

// printList prints at most limit items, 0 for all: as a grid, as one JSON array, or as a line each.
func printList[T any](a *app, items iter.Seq2[T, error], limit int, columns []string, cells func(T) []show.Cell) error {
	p := &listPrinter[T]{app: a, cells: cells, columns: columns}
	shown, more := 0, false
	for item, err := range items {
		if err != nil {
			return err
		}
		if more = limit > 0 && shown == limit; more {
			break
		}
		shown++
		if err := p.item(item); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	if more && a.format == show.Table {
		_, err := fmt.Fprintln(a.out, "... and more: --limit 0 shows all")
		return err
	}
	return nil
}

// listPrinter prints items as they come.
type listPrinter[T any] struct {
	app     *app
	columns []string
	cells   func(T) []show.Cell
	grid    *show.Grid
	written bool // some of the table
	items   []T  // of a JSON array
}

func (p *listPrinter[T]) item(item T) error {
	switch p.app.format {
	case show.JSONL:
		return show.Encode(p.app.out, show.JSONL, item)
	case show.JSON:
		p.items = append(p.items, item)
		return nil
	default:
		if p.grid == nil {
			p.grid = show.NewGrid(show.Colour(p.app.out, p.app.env), p.columns...)
		}
		p.grid.Cells(p.cells(item)...)
		if p.grid.Len() == gridMaxRows {
			return p.flush()
		}
		return nil
	}
}

func (p *listPrinter[T]) flush() error {
	err := p.grid.Write(p.app.out)
	p.grid, p.written = nil, true
	return err
}

func (p *listPrinter[T]) end() error {
	switch {
	case p.app.format == show.JSON:
		if p.items == nil {
			p.items = []T{}
		}
		return show.Encode(p.app.out, show.JSON, p.items)
	case p.app.format == show.Table && p.grid == nil && !p.written:
		p.grid = show.NewGrid(show.Colour(p.app.out, p.app.env), p.columns...)
	}
	if p.grid != nil {
		return p.flush()
	}
	return nil
}
