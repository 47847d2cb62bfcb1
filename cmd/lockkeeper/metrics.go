package main

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// houseMetrics are the figures of the parts that know no Prometheus: the
// record, the parser's cache, the catalog and reloads. Nothing a user wrote is
// in a label.
type houseMetrics struct {
	h       *house
	figures []figure
}

// figure is one number and where it comes from.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() float64
}

func newHouseMetrics(h *house) *houseMetrics {
	m := &houseMetrics{h: h}
	counter := func(name, help string, read func() uint64) {
		m.add(name, help, prometheus.CounterValue, func() float64 { return float64(read()) })
	}
	gauge := func(name, help string, read func() float64) { m.add(name, help, prometheus.GaugeValue, read) }

	counter("audit_accepted_total", "Events taken for the record.", func() uint64 { return h.recorder.Stats().Accepted })
	counter("audit_stored_total", "Events written.", func() uint64 { return h.recorder.Stats().Stored })
	counter("audit_refused_total", "Statements refused because they could not be recorded.", func() uint64 { return h.recorder.Stats().Refused })
	counter("audit_lost_total", "Events that could not be kept.", func() uint64 { return h.recorder.Stats().Lost })
	gauge("audit_queued", "Events waiting for the writer.", func() float64 { return float64(h.recorder.Stats().Queued) })
	gauge("audit_failing", "1 while the record cannot be written and the fail modes are in force.", func() float64 { return truth(h.recorder.Stats().Failing) })
	gauge("audit_sync_seconds", "How long the last sync to disk took.", func() float64 { return h.recorder.Stats().LastSync.Seconds() })

	counter("parse_cache_hits_total", "Statements whose facts were known.", func() uint64 { return h.parser.Stats().Hits })
	counter("parse_cache_misses_total", "Statements that had to be read.", func() uint64 { return h.parser.Stats().Misses })
	counter("parse_unknown_total", "Statements that could not be read.", func() uint64 { return h.parser.Stats().Unknown })
	gauge("parse_cache_bytes", "Size of the facts kept.", func() float64 { return float64(h.parser.Stats().Bytes) })

	counter("reloads_total", "Files read again and taken.", h.reloader.taken.Load)
	counter("reload_failures_total", "Files read again and refused; the last good ones are in force.", h.reloader.refused.Load)
	gauge("observe", "1 while everything is let through and only counted.", func() float64 { return truth(h.engine.Observe()) })
	gauge("operator", "1 when the operator's login works, 0 without one or while it fails.", h.operatorWorks)
	gauge("catalog_age_seconds", "Age of the catalog; 0 without an operator.", h.catalogAge)
	m.figures = append(m.figures, figure{
		desc: prometheus.NewDesc("lockkeeper_build_info", "1; what runs.", nil, prometheus.Labels{"version": version, "go": runtime.Version()}),
		kind: prometheus.GaugeValue, read: func() float64 { return 1 },
	})
	return m
}

func (m *houseMetrics) add(name, help string, kind prometheus.ValueType, read func() float64) {
	m.figures = append(m.figures, figure{prometheus.NewDesc("lockkeeper_"+name, help, nil, nil), kind, read})
}

// Describe implements prometheus.Collector.
func (m *houseMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range m.figures {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (m *houseMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, f := range m.figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.read())
	}
}

func (h *house) operatorWorks() float64 {
	return truth(h.eyes != nil && h.eyes.catalog.Status().Err == nil && h.eyes.catalog.Status().Version > 0)
}

func (h *house) catalogAge() float64 {
	if h.eyes == nil || h.eyes.catalog.Status().ReadAt.IsZero() {
		return 0
	}
	return h.now().Sub(h.eyes.catalog.Status().ReadAt).Seconds()
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
