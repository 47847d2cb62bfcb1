package query

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Bounds of what is remembered of how long runs take.
const (
	paceSamples = 50 // of one class, the newest
	paceClasses = 500
	paceEnough  = 5 // below which nothing is guessed
)

// pace remembers how long runs took, by class. The zero value is ready.
type pace struct {
	mu sync.Mutex // guards by
	by map[string][]time.Duration
}

// add remembers a run that went through.
func (p *pace) add(class string, took time.Duration, through bool) {
	if class == "" || !through {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil || len(p.by) >= paceClasses && p.by[class] == nil {
		p.by = map[string][]time.Duration{}
	}
	p.by[class] = append(p.by[class], took)
	p.by[class] = p.by[class][max(0, len(p.by[class])-paceSamples):]
}

// eta guesses when a run starts: the median of the class for each turn that
// must pass before it. Nil: too little is known.
func (p *pace) eta(class string, w Wait) *int64 {
	p.mu.Lock()
	list := slices.Clone(p.by[class])
	p.mu.Unlock()
	if len(list) < paceEnough || w.Position == nil {
		return nil
	}
	slices.Sort(list)
	turns := *w.Position
	if w.Ahead != nil && *w.Ahead > 1 { // that many end side by side
		turns = (turns + *w.Ahead - 1) / *w.Ahead
	}
	eta := (list[len(list)/2] * time.Duration(turns)).Milliseconds()
	return &eta
}

// ms writes milliseconds as people do.
func ms(n int64) string {
	d := time.Duration(n) * time.Millisecond
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
