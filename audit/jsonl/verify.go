package jsonl

import (
	"context"
	"fmt"
	"os"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Verify checks all segments of dir against the heads that were exported from
// it. The error is one of reading; what is broken stands in the result.
func Verify(ctx context.Context, dir string, heads []audit.Head) (audit.Result, error) {
	if _, err := os.Stat(dir); err != nil {
		return audit.Result{}, fmt.Errorf("verify: %w", err)
	}
	for {
		before, err := readRetained(dir)
		if err != nil {
			return audit.Result{}, err
		}
		res, err := verifyFrom(ctx, dir, heads, before)
		after, again := readRetained(dir)
		if again != nil {
			return res, again
		}
		if (before == nil) == (after == nil) && (before == nil || before.Segment == after.Segment) {
			return res, err
		}
		// The writer retired segments while they were read: what was found
		// missing may be just that.
	}
}

func verifyFrom(ctx context.Context, dir string, heads []audit.Head, retired *audit.Head) (audit.Result, error) {
	numbers, err := segments(dir)
	if err != nil {
		return audit.Result{}, err
	}
	v := audit.NewVerifier(heads, retired)
	for i, n := range numbers {
		if retired != nil && n <= retired.Segment {
			continue // its deletion was cut short; the next Open finishes it
		}
		if err := verifySegment(ctx, v, dir, n, i == len(numbers)-1); err != nil {
			return v.Result(), err
		}
	}
	return v.Result(), nil
}

func verifySegment(ctx context.Context, v *audit.Verifier, dir string, number uint64, last bool) error {
	file, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer file.Close()
	return v.Segment(ctx, number, file, last)
}
