package audit

import (
	"fmt"
	"time"
)

// lossReason says why records are missing. Its word is Event.Reason of the
// loss record.
type lossReason uint8

const (
	lossSinkFailed lossReason = iota // the sink failed, the queue was full, the fail mode was open
	lossUnsynced                     // written, but a sync failed: they may be missing
	lossQueueFull                    // the sink was too slow for longer than MaxDelay
	lossBestEffort                   // best effort, dropped by a full queue
	lossStopped                      // recorded after Run had ended
	lossReasons
)

var lossWords = [lossReasons]string{
	lossSinkFailed: "sink_failed",
	lossUnsynced:   "unsynced",
	lossQueueFull:  "queue_full",
	lossBestEffort: "best_effort",
	lossStopped:    "stopped",
}

// losses counts records that are missing and not yet recorded as such.
type losses struct {
	open    [lossReasons]uint64 // not yet recorded
	any     bool                // one of open is not zero
	total   uint64              // since the start
	dropped uint64              // of total: best effort
}

func (l *losses) add(reason lossReason, n uint64) {
	if n == 0 {
		return
	}
	l.open[reason] += n
	l.any = true
	l.total += n
	if reason == lossBestEffort {
		l.dropped += n
	}
}

// settle takes away what has been recorded.
func (l *losses) settle(recorded [lossReasons]uint64) {
	l.any = false
	for i := range l.open {
		l.open[i] -= recorded[i]
		l.any = l.any || l.open[i] > 0
	}
}

// outage is one time during which the sink failed.
type outage struct {
	since   time.Time
	cause   error
	refused uint64 // statements refused before it began, to tell those within
}

// lossEvents returns the records that tell of open and, when the sink has just
// come back, of the outage. An outage without a loss is recorded too: during
// it statements may have been refused or have run before their record was
// written.
func lossEvents(now time.Time, node string, open [lossReasons]uint64, out *outage, refused uint64) []Event {
	var events []Event
	for reason, n := range open {
		told := lossReason(reason) == lossSinkFailed && out != nil //nolint:gosec // a small index
		if n == 0 && !told {
			continue
		}
		e := Event{Kind: KindLoss, Time: now, Node: node, Reason: lossWords[reason], Lost: n}
		if told {
			e.Message = fmt.Sprintf("sink failed at %s for %s, %d refused: %v",
				out.since.UTC().Format(time.RFC3339), now.Sub(out.since).Round(time.Millisecond), refused-out.refused, out.cause)
		}
		events = append(events, e)
	}
	return events
}
