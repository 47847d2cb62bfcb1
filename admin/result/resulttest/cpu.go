package resulttest

import (
	"syscall"
	"testing"
	"time"
)

// ReportCPU reports how many megabytes one core does in a second of its time,
// whatever else the machine does meanwhile. Call what it returns at the end.
func ReportCPU(b *testing.B) (done func(bytes int64)) {
	b.Helper()
	start := cpuTime(b)
	return func(bytes int64) {
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpuTime(b)-start).Seconds(), "MB/cpu-s")
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
