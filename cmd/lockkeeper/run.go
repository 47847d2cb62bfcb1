package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// house is a server with all its parts.
//
// build makes them in the order of need: state directory, listeners (so that a
// taken port is found before anything runs), record, policy and quotas, the
// office's ground, directory, warehouse, operator's eyes, server, the office's
// rooms, admin address.
//
// run starts the record first and the listeners last, and stops in reverse:
//
//	not ready ─► office shuts, its runs end ─► server drains ─► server closes
//	─► watchers end ─► quotas saved ─► record drained and closed
//	─► admin address ─► state directory unlocked
//
// so that every statement of the last session is in the record and in the
// quotas, and /metrics can be scraped until the end.
type house struct {
	cfg Config
	log *slog.Logger
	now func() time.Time

	state     *stateDir
	listeners []net.Listener
	consoleLn net.Listener
	adminLn   net.Listener
	sink      *jsonl.Log
	recorder  *audit.Recorder
	engine    *policy.Engine
	quotas    *quotaFile
	parser    parserPort
	certs     *certificates // nil without TLS
	webCerts  *certificates // nil without TLS at the page
	reloader  *reloader
	server    *proxy.Server
	admin     *adminServer
	eyes      *operatorEyes // nil without an operator login
	office    *office       // nil without a page
	closers   []func()      // run last to first after the server
}

// build makes everything and starts nothing. On an error all is undone.
func build(ctx context.Context, cfg Config, log *slog.Logger) (_ *house, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	h := &house{cfg: cfg, log: log, now: time.Now}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	for _, part := range []func(context.Context) error{
		h.buildState, h.buildListeners, h.buildRecord, h.buildPolicy, h.buildOffice, h.buildServer, h.buildRooms, h.buildAdmin,
	} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *house) buildState(context.Context) (err error) {
	h.state, err = openState(h.cfg.State)
	return err
}

func (h *house) buildListeners(ctx context.Context) error {
	addresses, err := h.cfg.addresses()
	if err != nil {
		return err
	}
	if h.listeners, err = openAll(ctx, addresses); err != nil {
		return err
	}
	console := listenAddress{"unix", filepath.Join(h.state.console(), ".s.PGSQL."+defaultPort)}
	if h.consoleLn, err = console.open(ctx, 0o600); err != nil {
		return err
	}
	if !h.cfg.Admin.off() {
		h.adminLn, err = listenAddress{"tcp", h.cfg.Admin.Listen}.open(ctx, 0)
	}
	return err
}

func (h *house) buildRecord(context.Context) (err error) {
	a := h.cfg.Audit
	h.sink, err = jsonl.Open(jsonl.Config{
		Dir: h.state.audit(), MaxBytes: int64(a.SegmentSize), MaxAge: time.Duration(a.SegmentAge),
		RetainBytes: int64(a.RetainSize), RetainAge: time.Duration(a.RetainAge),
	})
	if err != nil {
		return fmt.Errorf("open the record: %w", err)
	}
	h.recorder, err = audit.New(audit.Config{
		Sink: h.sink, Node: nodeName(), Log: h.log,
		QueueSize: a.Queue, MaxDelay: time.Duration(a.MaxDelay), FlushInterval: time.Duration(a.FlushInterval),
		SyncInterval: time.Duration(a.SyncInterval), GroupWindow: time.Duration(a.GroupWindow),
	})
	return err
}

func (h *house) buildPolicy(ctx context.Context) error {
	h.engine = policy.NewEngine(policy.EngineConfig{})
	if h.cfg.Policy != "" {
		rules, err := readPolicy(h.cfg.Policy)
		if err != nil {
			return err
		}
		h.engine.Publish(rules)
	}
	h.quotas = &quotaFile{path: h.state.quotas(), keeper: h.engine, log: h.log}
	return h.quotas.load(ctx)
}

func (h *house) buildAdmin(context.Context) error {
	metrics := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		h.server.Collector(), newHouseMetrics(h), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := metrics.Register(c); err != nil {
			return err
		}
	}
	h.admin = newAdminServer(metrics)
	return nil
}

// close undoes build, for a house that was never run.
func (h *house) close() {
	for _, ln := range append(h.listeners, h.consoleLn, h.adminLn) {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if h.server != nil {
		_ = h.server.Close()
	}
	h.closeParts()
	if h.office != nil {
		h.office.close()
	}
	if h.sink != nil {
		_ = h.sink.Close()
	}
	if h.state != nil {
		h.state.close()
	}
}

func (h *house) closeParts() {
	for _, closePart := range slices.Backward(h.closers) {
		closePart()
	}
}

// run serves until ctx ends or a part breaks, and then stops everything in
// order. ready is called once clients can come in.
func (h *house) run(ctx context.Context, ready func()) error {
	record := h.startRecord()
	background := h.startBackground()
	if err := h.recordStart(ctx); err != nil {
		h.log.ErrorContext(ctx, "record the configuration", slog.Any("error", err))
	}
	var admin sync.WaitGroup
	failed := make(chan error, len(h.listeners)+8) // room for each that may fail: nobody reads after the first
	if h.adminLn != nil {
		admin.Go(func() { failed <- h.admin.serve(h.adminLn) }) // stopped by admin.close
	}
	var serving sync.WaitGroup
	serve := func(how func(context.Context, net.Listener) error, ln net.Listener) {
		serving.Go(func() { // stopped by server.Shutdown or Close
			if err := how(context.WithoutCancel(ctx), ln); !errors.Is(err, proxy.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", ln.Addr(), err)
			}
		})
	}
	for _, ln := range h.listeners {
		serve(h.server.Serve, ln)
	}
	serve(h.server.ServeConsole, h.consoleLn)
	shutOffice := func(context.Context) {}
	if h.office != nil {
		shutOffice = h.office.start(failed)
	}
	h.admin.ready.Store(true)
	notifySystemd(h.log, notifyReady)
	h.log.InfoContext(ctx, "ready", slog.Any("listen", []string(h.cfg.Listen)), slog.String("warehouse", h.cfg.Warehouse.URL.Address()), slog.String("version", version))
	ready()
	err := h.wait(ctx, failed)

	h.admin.ready.Store(false)
	notifySystemd(h.log, notifyStopping)
	shutOffice(context.WithoutCancel(ctx)) // before the door: its runs end as runs, not as lost connections
	h.drain(context.WithoutCancel(ctx))
	serving.Wait()
	background()
	h.closeParts()
	if h.office != nil {
		h.office.close()
	}
	err = errors.Join(err, record())
	h.admin.close(context.WithoutCancel(ctx))
	admin.Wait()
	h.state.close()
	h.log.InfoContext(ctx, "stopped")
	return err
}

// wait returns when it is time to stop; SIGHUP meanwhile reads the files again.
func (h *house) wait(ctx context.Context, failed <-chan error) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-hup:
			_ = h.reload(ctx) // logged there
		}
	}
}

// reload is SIGHUP and the console's RELOAD.
func (h *house) reload(ctx context.Context) error {
	notifySystemd(h.log, notifyReloading())
	defer notifySystemd(h.log, notifyReady)
	return h.reloader.all(ctx)
}

// drain lets transactions finish, at most drain_timeout, then cuts the rest.
func (h *house) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.cfg.DrainTimeout))
	defer cancel()
	started := time.Now()
	if err := h.server.Shutdown(ctx); err != nil {
		h.log.WarnContext(ctx, "drain_timeout is over, remaining sessions are cut", slog.Duration("after", time.Since(started)))
	}
	_ = h.server.Close()
}

// startRecord runs the recorder; the function returned drains and closes it.
func (h *house) startRecord() func() error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.recorder.Run(ctx) }() // ends with cancel below, which waits for it
	return func() error {
		patience, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		err := h.recorder.Drain(patience)
		cancel()
		return errors.Join(err, <-done, h.sink.Close())
	}
}

// startBackground runs what lives beside the server; the function returned
// ends and joins it.
func (h *house) startBackground() func() {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { h.quotas.run(ctx) })
	group.Go(func() {
		if err := h.reloader.run(ctx); err != nil {
			h.log.Error("files are not watched, SIGHUP still works", slog.Any("error", err))
		}
	})
	if h.eyes != nil {
		group.Go(func() { h.eyes.run(ctx) })
	}
	return func() { cancel(); group.Wait() }
}

func nodeName() string {
	name, err := os.Hostname()
	if err != nil {
		return "lockkeeper"
	}
	return name
}
