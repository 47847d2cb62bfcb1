package policy

import (
	"testing"
	"time"
)

// With everything observed, a class's plan releases nobody either, and is
// itself again afterwards.
func TestObserveCoversRelease(t *testing.T) {
	t.Parallel()
	rs, err := Compile(Source{
		Classify: []ClassifyLine{{Class: "bi"}},
		Classes:  []ClassSource{{Name: "bi", Release: &ReleaseSource{Ladder: []ReleaseMode{ReleaseRollback}, MaxIdleTx: time.Minute}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(EngineConfig{})
	e.Publish(rs)
	c := e.NewConn(Subject{User: "ann"})
	for _, on := range []bool{true, false} {
		e.SetObserve(on)
		d := e.Standing(time.Unix(0, 0), c)
		if d.Release == nil || d.Release.MaxIdleTx != time.Minute || d.Release.Observe != on {
			t.Errorf("observe %v: plan %+v", on, d.Release)
		}
	}
}
