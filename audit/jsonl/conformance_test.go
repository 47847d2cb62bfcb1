package jsonl

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/audittest"
)

// place is a directory.
type place struct{ cfg Config }

func (p place) Open() (audittest.Sink, error) { return Open(p.cfg) }
func (p place) Reader() audit.Reader          { return NewReader(p.cfg.Dir) }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]int64{"one segment": 0, "many segments": 1500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audittest.Run(t, func(t *testing.T) audittest.Place {
				t.Helper()
				return place{Config{Dir: t.TempDir() + "/audit", MaxBytes: bytes}}
			})
		})
	}
}
