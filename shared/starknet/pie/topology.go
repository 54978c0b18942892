package pie

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Bounds of a fact topology's tree (cairo-lang, bootloaders/fact_topology.py).
const (
	maxTree  = 10 // numbers
	treeBits = 30 // of each number
)

// readTopology reads the output's pages and tree from additional_data.json; size is the output's.
func (p *PIE) readTopology(z *archive, size uint64, l Limits) error {
	pages := map[uint64]Page{}
	err := walk(z, additionalFile, l.JSON, map[string]func(*walker) error{
		outputBuiltin + builtinSuffix: func(w *walker) error {
			return w.fields(map[string]func(*walker) error{
				"pages": func(w *walker) error {
					return w.object(l.Pages, func(key string) error {
						id, err := strconv.ParseUint(key, 10, 32)
						if err != nil || strconv.FormatUint(id, 10) != key {
							return errors.New("it is not a page number")
						}
						pages[id], err = w.page()
						return err
					})
				},
				"attributes": func(w *walker) error {
					return w.fields(map[string]func(*walker) error{"gps_fact_topology" + optional: p.readTree})
				},
			})
		},
	})
	if err != nil {
		return err
	}
	for i, id := range slices.Sorted(maps.Keys(pages)) {
		if id != uint64(i)+1 {
			return fmt.Errorf("%w: %d output pages beside the main one, but none of number %d",
				ErrMalformed, len(pages), i+1)
		}
		p.Pages = append(p.Pages, pages[id])
	}
	return checkTopology(p.Pages, p.Tree, size)
}

func (w *walker) page() (g Page, err error) {
	n := 0
	err = w.list(2, func(i int) error {
		v, err := w.count(sizeBits)
		*[]*uint64{&g.Start, &g.Size}[i] = v
		n++
		return err
	})
	if err == nil && n != 2 {
		return g, errors.New("a page is [start, size]")
	}
	return g, err
}

func (p *PIE) readTree(w *walker) error {
	p.Tree = []int{}
	return w.list(maxTree, func(int) error {
		n, err := w.count(treeBits)
		p.Tree = append(p.Tree, int(n))
		return err
	})
}

// checkTopology checks that pages follow each other to the end of an output of size words and that there is a tree
// where there are pages. Whether the tree fits is found when the fact is computed.
func checkTopology(pages []Page, tree []int, size uint64) error {
	if tree == nil && len(pages) > 0 {
		return fmt.Errorf("%w: %d output pages without a fact topology", ErrMalformed, len(pages)+1)
	}
	if tree != nil && (len(tree) == 0 || len(tree)%2 != 0 || len(tree) > maxTree) {
		return fmt.Errorf("%w: fact topology of %d numbers, not of 1 to %d pairs", ErrMalformed, len(tree), maxTree/2)
	}
	for i, g := range pages {
		end := size
		if i+1 < len(pages) {
			end = pages[i+1].Start
		}
		if g.Start == 0 || g.Size == 0 || g.Start > size || g.Size > size || g.Start+g.Size != end {
			return fmt.Errorf("%w: output page %d is words %d to %d, the next begins at %d",
				ErrMalformed, i+1, g.Start, g.Start+g.Size, end)
		}
	}
	return nil
}

// pageSizes are the sizes of all pages of an output, the main page first, after cut words were taken off its beginning.
//
// They are in the order of the page numbers. cairo-lang orders by the numbers' text, so that page 10 comes before page
// 2; that makes a difference for outputs of 10 pages and more that are not of one size, for which its facts fit no
// proof.
func (p *PIE) pageSizes(cut uint64) ([]uint64, error) {
	main := uint64(len(p.Output))
	if len(p.Pages) > 0 {
		main = p.Pages[0].Start
	}
	if cut > main {
		return nil, fmt.Errorf("%w: the aggregator's inputs are %d words, the output's main page has %d",
			ErrMalformed, cut, main)
	}
	sizes := []uint64{main - cut}
	for _, g := range p.Pages {
		sizes = append(sizes, g.Size)
	}
	return sizes, nil
}
