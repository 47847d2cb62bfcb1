package audit

import (
	"fmt"
	"time"
)

// lossReason says why records are missing. Its word is Event.Reason of the
// loss record.
type lossReason uint8

const (
	lossUnsynced   lossReason = iota // written, but a sync failed: they may be missing
	lossQueueFull                    // the sink was too slow for longer than MaxDelay
	lossBestEffort                   // best effort, dropped by a full queue
	lossStopped                      // recorded after Run had ended
	lossSinkFailed                   // the sink failed, the queue was full, the fail mode was open
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
func (l *losses) settle(rec lossRecord) {
	l.open[rec.reason] -= rec.event.Lost
	l.any = false
	for _, n := range l.open {
		l.any = l.any || n > 0
	}
}

// lossRecord is one loss event and what it is about.
type lossRecord struct {
	reason lossReason
	event  Event
}

// outage is one time during which the sink failed.
type outage struct {
	since   time.Time
	cause   error
	refused uint64 // statements refused before it began, to tell those within
}

// lossRecords returns what tells of open and, when the sink has just come back,
// of the outage, which comes last. An outage without a loss is recorded too:
// during it statements may have been refused, or have run before their record
// was written.
func lossRecords(now time.Time, node string, open [lossReasons]uint64, out *outage, refused uint64) []lossRecord {
	var records []lossRecord
	for i, n := range open {
		reason := lossReason(i)
		told := reason == lossSinkFailed && out != nil
		if n == 0 && !told {
			continue
		}
		e := Event{Kind: KindLoss, Time: now, Node: node, Reason: lossWords[reason], Lost: n}
		if told {
			e.Message = fmt.Sprintf("sink failed at %s for %s, %d refused: %v",
				out.since.UTC().Format(time.RFC3339), now.Sub(out.since).Round(time.Millisecond), refused-out.refused, out.cause)
		}
		records = append(records, lossRecord{reason, e})
	}
	return records
}
