package admin

import (
	"context"
	"sync"
)

// Turn asks about whoever is due now, and returns when all is answered.
func (r *Rechecker) Turn(ctx context.Context) {
	var group sync.WaitGroup
	r.begin(ctx, &group)
	group.Wait()
}
