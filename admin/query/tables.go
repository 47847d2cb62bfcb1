package query

// Table is a table or view as the schema browser lists it.
type Table struct {
	Schema  string `json:"schema"`
	Name    string `json:"name"`
	Kind    string `json:"kind"` // table, view, materialized view, foreign table
	Rows    *int64 `json:"rows"` // estimated; nil: unknown
	Comment string `json:"comment"`
}

// TablePage is a page of tables, by schema and name.
type TablePage struct {
	Items []Table
	Next  string
}

// TableDetail is one table with its columns.
type TableDetail struct {
	Table
	Bytes   *int64        `json:"bytes"`
	Columns []TableColumn `json:"columns"`
}

// TableColumn is one column of a table.
type TableColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	Comment  string `json:"comment"`
	Position int    `json:"position"`
}

// Completions is what the editor needs to complete names.
type Completions struct {
	Schemas    []CompletionSchema `json:"schemas"`
	SearchPath []string           `json:"search_path"`
	Functions  []string           `json:"functions"`
	Version    string             `json:"version"` // of the contents; the ETag
	Truncated  bool               `json:"truncated"`
}

// CompletionSchema is one schema.
type CompletionSchema struct {
	Name   string            `json:"name"`
	Tables []CompletionTable `json:"tables"`
}

// CompletionTable is one table; a column is its name and its type.
type CompletionTable struct {
	Name    string      `json:"name"`
	Kind    string      `json:"kind"`
	Columns [][2]string `json:"columns"`
}
