package backup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The format that Write writes and Restore reads.
const (
	formatName    = "lockkeeper-backup"
	formatVersion = 1
)

// Names of members.
const (
	headName     = "backup.json"
	manifestName = "manifest.json"
	tablesPrefix = "tables/"
	blobsPrefix  = "blobs/"
	sumsPrefix   = "sums/"
)

// Bounds of members, in bytes unless said otherwise.
const (
	maxRow       = 32 << 20 // a row as JSON
	partSize     = 1 << 20  // after which a part of a table ends
	maxPart      = partSize + maxRow
	maxDocument  = 1 << 20 // backup.json, manifest.json, a sheet of sums
	sheetLength  = 1024    // members
	maxKeys      = 64      // as many as a key file holds
	maxNoted     = 100     // names of vanished blobs
	maxTables    = 1000
	maxByLength  = 100
	maxNameBytes = 400 // of a member
)

// Head begins a backup.
type Head struct {
	Format  string    `json:"format"`
	Version int       `json:"version"` // of the format
	Schema  int64     `json:"schema"`  // the store's last migration
	By      string    `json:"by"`      // the version of the program, for people
	Time    time.Time `json:"time"`
	AtHand  []string  `json:"keys_at_hand"` // ids of the keys that the office had
	Tables  []Table   `json:"tables"`
}

// Manifest ends a backup, and tells what is in it.
type Manifest struct {
	Format   string     `json:"format"`
	Version  int        `json:"version"`
	Schema   int64      `json:"schema"`
	By       string     `json:"by"`
	Time     time.Time  `json:"time"`
	Tables   []Count    `json:"tables"`
	Blobs    BlobCount  `json:"blobs"`
	Vanished Vanished   `json:"vanished"`
	Keys     []string   `json:"keys"` // ids of the keys without which parts of it do not open
	Sums     SheetCount `json:"sums"`
}

// Count is how many rows a table has.
type Count struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// BlobCount is how many blobs there are.
type BlobCount struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

// Vanished are blobs that were deleted while the backup was written.
type Vanished struct {
	Count int64    `json:"count"`
	Names []string `json:"names"` // the first of them
}

// SheetCount is how many sheets of sums there are.
type SheetCount struct {
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"` // of the sheets' own sums, one after the other
}

// sum is a line of a sheet.
type sum struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Gone   bool   `json:"gone,omitempty"` // a blob that vanished while it was read, filled up with zeros
}

// line is the only form that a line has: its reader compares bytes.
func (s sum) line() ([]byte, error) {
	text, err := json.Marshal(s)
	return append(text, '\n'), err
}

// check refuses what this program cannot read, before anything else is believed.
func (h *Head) check() error {
	switch {
	case h.Format != formatName:
		return fmt.Errorf("%w: its format is %.40q", ErrForeign, h.Format)
	case h.Version != formatVersion:
		return fmt.Errorf("%w: its format is version %d, this one reads %d; restore it with the Lockkeeper that wrote it (%.*q)", ErrForeign, h.Version, formatVersion, maxByLength, h.By)
	case h.Schema < 1 || len(h.Tables) == 0 || len(h.Tables) > maxTables || len(h.AtHand) > maxKeys || len(h.By) > maxByLength:
		return fmt.Errorf("%w: %s is out of bounds", ErrDamaged, headName)
	default:
		return nil
	}
}

// fits tells whether the rows of a backup are rows of this store.
func (h *Head) fits(schema int64, tables []Table) error {
	if h.Schema > schema {
		return fmt.Errorf("%w: it is %d, the store's %d; install the Lockkeeper that wrote it (%s) or a newer one", ErrSchema, h.Schema, schema, h.By)
	}
	if h.Schema < schema {
		return fmt.Errorf("%w: it is %d, the store's already %d; restore into a database that is not there yet", ErrSchema, h.Schema, schema)
	}
	same := func(a, b Table) bool { return a.Name == b.Name && slices.Equal(a.Columns, b.Columns) }
	if !slices.EqualFunc(h.Tables, tables, same) {
		return fmt.Errorf("%w: both are %d, but their tables differ; restore it with the Lockkeeper that wrote it (%s)", ErrSchema, schema, h.By)
	}
	return nil
}

// parse reads a document of ours, and no other.
func parse(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one document")
	}
	return nil
}
