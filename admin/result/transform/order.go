package transform

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// sorting finds the order of rows by their keys. It reads the rows as often as
// it must, so that what it holds is bounded however long the keys are:
//
//	read all rows ──► a piece of each key ──► sort
//	                                           │ rows whose pieces are equal
//	read those ─────► the piece after it ──► sort among themselves, and so on
//
// Each round takes pieces of maxPieces bytes together, so there are few of them:
// all keys have at most MaxSortBytes. Mostly there is one.
type sorting struct {
	src    result.Source
	match  func([][]byte) (bool, error) // nil: all rows
	sorter *sorter
	most   int // bytes of pieces at a time

	all    []entry
	pieces arena
	size   int // of rows and keys, in bytes
}

// entry is one row on its way to its place.
type entry struct {
	prefix uint64 // the beginning of the piece, so that most comparisons end here
	piece  uint32 // where its length and its rest stand
	row    uint32 // place in the source
}

// ties is a run of entries of which more of the keys must be seen.
type ties struct{ from, to int }

const (
	maxPieces = 32 << 20 // bytes of keys held at a time
	perRow    = 40       // bytes of entries and places, and of each piece's length, at most
	perKey    = 24       // bytes that a key may have beyond twice its cell
)

// SortMemory returns how many bytes sorting takes at most: so many rows that
// have raw bytes together, by so many keys.
func SortMemory(rows, raw int64, keys int) int64 {
	return rows*perRow + min(maxPieces, 2*raw+rows*int64(keys)*perKey) + 2*blockSize
}

// run returns the places of the rows in order.
func (s *sorting) run(ctx context.Context, count int64) ([]uint32, error) {
	s.all = make([]entry, 0, count)
	length := s.pieceOf(int(count))
	if err := s.readAll(ctx, length); err != nil {
		return nil, err
	}
	todo := s.order([]ties{{0, len(s.all)}})
	for from := length; len(todo) > 0; {
		rows := 0
		for _, g := range todo {
			rows += g.to - g.from
		}
		length = s.pieceOf(rows)
		if err := s.readMore(ctx, todo, from, length); err != nil {
			return nil, err
		}
		todo, from = s.order(todo), from+length
	}
	places := make([]uint32, len(s.all))
	for i, e := range s.all {
		places[i] = e.row
	}
	return places, nil
}

// pieceOf is how long the pieces of so many rows may be.
func (s *sorting) pieceOf(rows int) int { return max(1, s.most/max(rows, 1)) }

// readAll makes an entry of each row, with the beginning of its key.
func (s *sorting) readAll(ctx context.Context, length int) error {
	var key []byte
	row := uint32(0)
	for cells, err := range s.src.Rows(ctx, 0, -1) {
		fits := err == nil
		if fits && s.match != nil {
			fits, err = s.match(cells)
		}
		if fits && err == nil {
			if key, err = s.sorter.key(key[:0], cells); err == nil {
				s.all = append(s.all, s.entry(key, 0, length, row))
				err = s.count(key, cells)
			}
		}
		if err != nil {
			return err
		}
		row++
	}
	return nil
}

// count refuses more than can be sorted.
func (s *sorting) count(key []byte, cells [][]byte) error {
	s.size += len(key) + len(cells)
	for _, cell := range cells {
		s.size += len(cell)
	}
	if s.size > MaxSortBytes {
		return fmt.Errorf("%w: they take more than %d MiB. Filter first, or sort in the SQL", ErrSortTooLarge, MaxSortBytes>>20)
	}
	return nil
}

// readMore gives the entries of the ties the next piece of their keys.
func (s *sorting) readMore(ctx context.Context, todo []ties, from, length int) error {
	var which []uint32
	for _, g := range todo {
		for i := g.from; i < g.to; i++ {
			which = append(which, uint32(i))
		}
	}
	slices.SortFunc(which, func(a, b uint32) int { return cmp.Compare(s.all[a].row, s.all[b].row) })
	rows := make([]uint32, len(which))
	for i, at := range which {
		rows[i] = s.all[at].row
	}
	s.pieces = arena{}
	var key []byte
	next := 0
	for cells, err := range pick(ctx, s.src, rows) {
		if err == nil {
			key, err = s.sorter.key(key[:0], cells)
		}
		if err != nil {
			return err
		}
		s.all[which[next]] = s.entry(key, from, length, rows[next])
		next++
	}
	return nil
}

// entry keeps the piece of a key that begins at from.
func (s *sorting) entry(key []byte, from, length int, row uint32) entry {
	key = key[min(from, len(key)):]
	piece := key[:min(length, len(key))]
	var head [8]byte
	copy(head[:], piece)
	said := uint64(len(piece)) << 1
	if len(key) > len(piece) {
		said |= 1
	}
	return entry{prefix: binary.BigEndian.Uint64(head[:]), piece: s.pieces.keep(said, piece[min(len(head), len(piece)):]), row: row}
}

// compare compares pieces; more tells of equal ones whether a key goes on.
func (s *sorting) compare(a, b entry) (c int, more bool) {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix), false
	}
	x, m := s.pieces.get(a.piece)
	y, n := s.pieces.get(b.piece)
	return cmp.Or(bytes.Compare(x, y), cmp.Compare(m>>1, n>>1)), (m|n)&1 == 1
}

// order sorts the ties among themselves and returns those that remain.
func (s *sorting) order(todo []ties) (rest []ties) {
	for _, g := range todo {
		part := s.all[g.from:g.to]
		slices.SortFunc(part, func(a, b entry) int {
			c, _ := s.compare(a, b)
			return cmp.Or(c, cmp.Compare(a.row, b.row))
		})
		for from := 0; from < len(part); {
			to, open := from+1, false
			for ; to < len(part); to++ {
				c, more := s.compare(part[from], part[to])
				if c != 0 {
					break
				}
				open = open || more
			}
			if open {
				rest = append(rest, ties{g.from + from, g.from + to})
			}
			from = to
		}
	}
	return rest
}

const blockSize = 1 << 20

// arena keeps many short texts in few blocks; a place is a block's number and
// where in it.
type arena struct {
	blocks [][]byte
	last   int // the block that is filled
}

// keep stores a number and what belongs to it.
func (a *arena) keep(n uint64, b []byte) uint32 {
	room := len(b) + binary.MaxVarintLen64
	if room > blockSize/4 {
		a.blocks = append(a.blocks, append(binary.AppendUvarint(make([]byte, 0, room), n), b...))
		return uint32(len(a.blocks)-1) * blockSize
	}
	if len(a.blocks) == 0 || len(a.blocks[a.last])+room > blockSize || cap(a.blocks[a.last]) != blockSize {
		a.blocks = append(a.blocks, make([]byte, 0, blockSize))
		a.last = len(a.blocks) - 1
	}
	block := &a.blocks[a.last]
	at := len(*block)
	*block = append(binary.AppendUvarint(*block, n), b...)
	return uint32(a.last*blockSize + at)
}

// get returns what was kept; the length of b is in n, which has it doubled.
func (a *arena) get(place uint32) (b []byte, n uint64) {
	block := a.blocks[place/blockSize][place%blockSize:]
	n, width := binary.Uvarint(block)
	length := max(0, int(n>>1)-8)
	return block[width : width+length], n
}
