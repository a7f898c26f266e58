package show

import (
	"bufio"
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// Cell is one place of a grid.
type Cell struct {
	Text  string
	Style Style
}

// Grid is a table for people: columns as wide as they must be, with two blanks between.
type Grid struct {
	colour bool
	rows   [][]Cell
}

// NewGrid begins a grid with the names of its columns.
func NewGrid(colour bool, columns ...string) *Grid {
	g := &Grid{colour: colour}
	header := make([]Cell, len(columns))
	for i, name := range columns {
		header[i] = Cell{name, Bold}
	}
	g.rows = append(g.rows, header)
	return g
}

// Row adds a row of plain texts.
func (g *Grid) Row(texts ...string) {
	cells := make([]Cell, len(texts))
	for i, text := range texts {
		cells[i].Text = text
	}
	g.Cells(cells...)
}

// Cells adds a row.
func (g *Grid) Cells(cells ...Cell) {
	for i := range cells {
		cells[i].Text = Clean(cells[i].Text)
	}
	g.rows = append(g.rows, cells)
}

// Len is how many rows there are below the header.
func (g *Grid) Len() int { return len(g.rows) - 1 }

// Write writes the grid.
func (g *Grid) Write(w io.Writer) error {
	widths := make([]int, len(g.rows[0]))
	for _, row := range g.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell.Text))
		}
	}
	out := bufio.NewWriter(w)
	for _, row := range g.rows {
		var line strings.Builder
		blanks := 0
		for i, cell := range row {
			if cell.Text != "" {
				line.WriteString(strings.Repeat(" ", blanks))
				line.WriteString(Paint(g.colour, cell.Style, cell.Text))
				blanks = 0
			}
			blanks += widths[i] - uniseg.StringWidth(cell.Text) + 2
		}
		// An error stays in the writer until Flush.
		_, _ = out.WriteString(line.String())
		_ = out.WriteByte('\n')
	}
	return out.Flush()
}
