package pie

import "cmp"

// Limits bound what is read of a PIE. Zero fields take those of DefaultLimits. What is beyond them is ErrTooLarge.
//
// Read holds no more than the program's and the output's words, the pages and a few buffers, whatever the zip unpacks
// to.
type Limits struct {
	Zip       int64 // bytes of the zip itself, which ReadStream copies to disk
	Directory int64 // bytes that are read of the zip's directory
	Files     int   // files in the zip
	JSON      int64 // bytes of metadata.json and of additional_data.json each, unpacked
	Small     int64 // bytes of version.json and of execution_resources.json each, unpacked
	Memory    int64 // bytes of memory.bin, unpacked
	Total     int64 // bytes of all files that are read, unpacked
	Cells     int64 // cells of memory.bin
	Program   int   // words of the program
	Output    int   // words of the output
	Builtins  int   // builtins of the program
	Segments  int   // memory segments
	Pages     int   // pages of the output beside the main page
}

// DefaultLimits are far above the largest PIEs of Starknet (memory of about 2 GB). Memory, Small and Segments are
// cairo-lang's own limits (vm/cairo_pie.py: 5 GB, 10,000 bytes; vm/relocatable.py: 16 bits), which a prover would not
// go beyond either.
var DefaultLimits = Limits{
	Zip:       4 << 30,
	Directory: 256 << 10,
	Files:     16,
	JSON:      64 << 20,
	Small:     10_000,
	Memory:    5 << 30,
	Total:     5<<30 + 128<<20,
	Cells:     5 << 30 / cellBytes,
	Program:   1 << 20,
	Output:    1 << 22,
	Builtins:  32,
	Segments:  1 << segmentBits,
	Pages:     1 << 12,
}

func (l Limits) filled() Limits {
	d := DefaultLimits
	return Limits{
		Zip:       cmp.Or(l.Zip, d.Zip),
		Directory: cmp.Or(l.Directory, d.Directory),
		Files:     cmp.Or(l.Files, d.Files),
		JSON:      cmp.Or(l.JSON, d.JSON),
		Small:     cmp.Or(l.Small, d.Small),
		Memory:    cmp.Or(l.Memory, d.Memory),
		Total:     cmp.Or(l.Total, d.Total),
		Cells:     cmp.Or(l.Cells, d.Cells),
		Program:   cmp.Or(l.Program, d.Program),
		Output:    cmp.Or(l.Output, d.Output),
		Builtins:  cmp.Or(l.Builtins, d.Builtins),
		Segments:  cmp.Or(l.Segments, d.Segments),
		Pages:     cmp.Or(l.Pages, d.Pages),
	}
}
