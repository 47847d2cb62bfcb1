package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/policy"
)

// metrics are the server's figures. Labels come from fixed sets only: never
// from what a user wrote.
type metrics struct {
	sessions    prometheus.Gauge
	logins      *prometheus.CounterVec // result
	statements  *prometheus.CounterVec // kind, outcome
	seconds     *prometheus.HistogramVec
	rows        prometheus.Counter
	bytesOut    prometheus.Counter
	bytesIn     prometheus.Counter
	queued      prometheus.Counter
	queueTime   prometheus.Counter
	refusals    *prometheus.CounterVec // sqlstate
	remedies    *prometheus.CounterVec // remedy
	releases    *prometheus.CounterVec // mode
	cancels     *prometheus.CounterVec // result
	auditErrors prometheus.Counter
	held        prometheus.GaugeFunc

	byKind [9][3]prometheus.Counter // statements, resolved once: kind × outcome
	took   [9]prometheus.Observer   // seconds, resolved once: kind
}

var outcomes = [3]string{"ok", "error", "stopped"} //nolint:gochecknoglobals // immutable

func newMetrics(srv *Server) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "lockkeeper", Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "lockkeeper", Name: name, Help: help}, labels)
	}
	m := &metrics{
		sessions:   prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "lockkeeper", Name: "sessions", Help: "Sessions logged in."}),
		logins:     vec("logins_total", "Attempts to log in, by result.", "result"),
		statements: vec("statements_total", "Statements that were let through and ended.", "kind", "outcome"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "lockkeeper", Name: "statement_seconds", Help: "Time from the first byte up to the last byte down.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60, 300, 1800},
		}, []string{"kind"}),
		rows:        counter("rows_sent_total", "Rows sent to clients."),
		bytesOut:    counter("result_bytes_total", "Bytes of results sent to clients."),
		bytesIn:     counter("copy_bytes_total", "Bytes of COPY and large parameters taken from clients."),
		queued:      counter("queued_total", "Statements that had to wait in a queue."),
		queueTime:   counter("queue_seconds_total", "Time statements waited in queues."),
		refusals:    vec("refusals_total", "Statements refused, by SQLSTATE.", "sqlstate"),
		remedies:    vec("remedies_total", "Limits that passed, by remedy.", "remedy"),
		releases:    vec("lock_releases_total", "Transactions of idle holders that were ended, by mode.", "mode"),
		cancels:     vec("cancel_requests_total", "Cancel requests of clients, by result.", "result"),
		auditErrors: counter("audit_errors_total", "Records that could not be written."),
	}
	m.held = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lockkeeper", Name: "held_bytes", Help: "Memory held for large statements.",
	}, func() float64 { return float64(srv.budget.Used()) })
	for k := range m.byKind {
		m.took[k] = m.seconds.WithLabelValues(policy.Kind(k).String())
		for o := range outcomes {
			m.byKind[k][o] = m.statements.WithLabelValues(policy.Kind(k).String(), outcomes[o])
		}
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.sessions, m.logins, m.statements, m.seconds, m.rows, m.bytesOut, m.bytesIn, m.queued, m.queueTime,
		m.refusals, m.remedies, m.releases, m.cancels, m.auditErrors, m.held,
	}
}

// Collector returns the server's metrics, to be registered by whoever owns the
// registry.
func (srv *Server) Collector() prometheus.Collector { return collector{srv.metrics} }

type collector struct{ m *metrics }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range c.m.all() {
		x.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, x := range c.m.all() {
		x.Collect(ch)
	}
}

func (m *metrics) refused(state string)   { m.refusals.WithLabelValues(state).Inc() }
func (m *metrics) remedy(r policy.Remedy) { m.remedies.WithLabelValues(r.String()).Inc() }

// done counts a statement that is over.
func (m *metrics) done(e *exec) {
	kind := policy.KindUtility
	if len(e.batch.Statements) > 0 {
		kind = e.batch.Statements[0].Kind
	}
	outcome := 0
	switch {
	case e.stop != "":
		outcome = 2
	case e.state != "":
		outcome = 1
	}
	m.byKind[kind][outcome].Inc()
	m.took[kind].Observe(e.ended.Sub(e.began).Seconds())
	m.rows.Add(float64(e.rows))
	m.bytesOut.Add(float64(e.bytesOut))
	m.bytesIn.Add(float64(e.bytesIn))
	if e.queued > 0 {
		m.queueTime.Add(e.queued.Seconds())
	}
}
