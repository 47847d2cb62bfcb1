package api

// Page is what every list takes.
type Page struct {
	Cursor string `query:"cursor" maxLength:"500" doc:"The next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// items is the body of every list.
type items[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next" doc:"The cursor of the next page; null: no more."`
}

// listOf is the answer of every list.
type listOf[T any] struct{ Body items[T] }

func list[T any](all []T, next string) *listOf[T] {
	out := &listOf[T]{items[T]{Items: all}}
	if next != "" {
		out.Body.Next = &next
	}
	return out
}
