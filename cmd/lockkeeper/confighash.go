package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
)

// recordConfig writes into the record what is in force from now on: which part,
// and the hash of its files, so that a decision of that time can be traced to
// the very policy that made it.
func (h *house) recordConfig(ctx context.Context, what string, files ...string) error {
	hash := sha256.New()
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, _ = hash.Write(raw)
	}
	err := h.recorder.Record(ctx, &audit.Event{
		Kind: audit.KindConfig, Durability: audit.Ordered,
		What: what, Hash: hex.EncodeToString(hash.Sum(nil)), Message: strings.Join(files, " "),
	})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// recordStart says with which files the server begins.
func (h *house) recordStart(ctx context.Context) error {
	for _, item := range h.reloader.items {
		if err := h.recordConfig(ctx, item.what, item.files...); err != nil {
			return err
		}
	}
	return nil
}
