package main

import (
	"fmt"
	"io"
	"log/slog"
)

// newLogger writes to w, as text or JSON. What it is told never holds SQL,
// values or texts of the wire; those are the audit's.
func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var min slog.Level
	if err := min.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level: %q is none of debug, info, warn, error", level)}
	}
	options := &slog.HandlerOptions{Level: min}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, usageError{fmt.Errorf("--log-format: %q is neither text nor json", format)}
	}
}
