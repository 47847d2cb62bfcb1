package policy

import "slices"

// ResolvedNames are the names of a batch as they were resolved when it was
// decided: through the search_path, and through views and functions to what is
// behind them. It is immutable.
//
// A name is written schema.name, with its database in front if that is another
// than the connection's. A question mark in front says that it may be this one
// or another: a name that no schema of the snapshot has, that several have, or
// that no snapshot was there to look up. A lone question mark says that there
// may be more than is listed.
type ResolvedNames struct {
	Reads, Writes, Functions []string
	// Expanded: a snapshot of the names was there, so that views and functions
	// were seen through; what could not be is marked in the lists.
	Expanded bool
}

// Unsure marks a name, or a list, that is not certain.
const Unsure = "?"

// maxResolved bounds each list; what does not fit is a lone question mark.
const maxResolved = 256

// resolved returns the names of all statements, made once.
func (b *batchFacts) resolved() *ResolvedNames {
	b.once.Do(func() {
		out := &ResolvedNames{Expanded: len(b.list) > 0}
		for i := range b.list {
			n := b.list[i].names
			out.Reads = n.reads.write(out.Reads, n.database, n.readsOpen)
			out.Writes = n.writes.write(out.Writes, n.database, n.writesOpen)
			out.Functions = n.functions.write(out.Functions, n.database, n.functionsOpen)
			out.Expanded = out.Expanded && n.expanded
		}
		b.names = out
	})
	return b.names
}

// write adds the names to a sorted list.
func (l seenList) write(to []string, database string, open bool) []string {
	for _, s := range l {
		if len(to) >= maxResolved {
			open = true
			break
		}
		text := s.name
		if s.schema != "" {
			text = s.schema + "." + text
			if s.db != "" && s.db != database {
				text = s.db + "." + text
			}
		}
		if !s.sure || s.schema == "" {
			text = Unsure + text
		}
		to = insert(to, text)
	}
	if open {
		to = insert(to, Unsure)
	}
	return to
}

func insert(list []string, text string) []string {
	i, found := slices.BinarySearch(list, text)
	if found {
		return list
	}
	return slices.Insert(list, i, text)
}
