import { ChartColumn, Table2 } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { lazy, Suspense, useMemo, useState, type ReactNode } from 'react'
import { finished } from '../api/state'
import type { ChartSpec, Run, RunStatement, Truncated } from '../api/types'
import { fitSpec, guess, parseSpec } from '../chart/guess'
import { bytes, count, duration, rowCount } from '../format'
import { ResultGrid } from '../grid/ResultGrid'
import { Bar, cx, Empty, Loading } from '../parts'
import { t } from '../strings'
import { shownStatement, type View } from './shown'
import { RunStatus } from './Status'
import { Notices, RunTrouble } from './Trouble'

const ChartPanel = lazy(() => import('../chart/ChartPanel').then((m) => ({ default: m.ChartPanel })))

interface Props {
  run: Run
  view: View
  onView: (view: View) => void
  /** The chart that was kept with the query, and what keeps another. */
  kept?: ChartSpec | null
  onChart?: (spec: ChartSpec) => void
  /** What stands at the right of the tabs. */
  actions?: ReactNode
  limit?: ReactNode
  /** Whether the page has a Cancel of its own. */
  ownCancel?: boolean
}

/** What a run came to: one tab per statement, a table and a chart of its rows. */
export function Results({ run, view, onView, kept, onChart, actions, limit, ownCancel = false }: Props) {
  const statements = run.statements
  const chosen = statements[shownStatement(run, view.statement)]
  return (
    <div className="results">
      <RunStatus run={run} button={!ownCancel} />
      {run.open_transaction && <Bar tone="warn">{t.run.openTransaction}</Bar>}
      {statements.length > 1 && (
        <Tabs.Root value={String(chosen?.index ?? 0)} onValueChange={(v) => onView({ kind: view.kind, statement: Number(v) })} className="statement-tabs">
          <Tabs.List aria-label={t.run.statements} className="tabs small">
            {statements.map((s) => (
              <Tabs.Trigger key={s.index} value={String(s.index)} className={cx('tab', s.state)}>
                <i className={cx('dot', s.state)} aria-hidden="true" />
                {t.run.statement(s.index + 1)} <span className="faint">{brief(s)}</span>
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          {statements.map((s) => <Tabs.Content key={s.index} value={String(s.index)} className="hidden" tabIndex={-1} />)}
        </Tabs.Root>
      )}
      {chosen && <OneResult key={chosen.index} run={run} statement={chosen} view={view} onView={onView} kept={kept ?? null} {...(onChart ? { onChart } : {})} actions={actions} limit={limit} />}
      {!chosen && run.error && <RunTrouble error={run.error} run={run} />}
    </div>
  )
}

function brief(s: RunStatement): string {
  if (s.result && s.result.columns.length > 0) return rowCount(s.result.row_count)
  if (s.result) return s.result.command_tag
  return t.run.statementStates[s.state]
}

function OneResult({ run, statement, view, onView, kept, onChart, actions, limit }: Props & { statement: RunStatement }) {
  const { result } = statement
  const error = statement.error ?? (run.error && (run.error.statement === statement.index || run.error.statement === null) ? run.error : null)
  const [spec, setSpec] = useState<ChartSpec | null>(null)
  const columns = result?.columns
  const own = useMemo(() => (columns ? fitSpec(kept, columns) : null), [kept, columns])
  const shown = useMemo(() => (columns ? (fitSpec(spec, columns) ?? parseSpec(view.chart, columns) ?? own ?? guess(columns, result.row_count)) : null), [spec, columns, view.chart, own, result])
  const kind = view.kind ?? (own ? 'chart' : 'table')
  if (error) return <><RunTrouble error={error} run={run} />{finished(run) && actions && <div className="trouble-actions">{actions}</div>}<Notices notices={statement.notices} /></>
  // Rows are kept when the run has ended, also those of a statement that ended before.
  if (!finished(run)) return <div className="results-wait" />
  if (!result) {
    return <Empty title={t.run.statementStates[statement.state]} />
  }
  if (result.columns.length === 0) {
    return (
      <>
        <div className="command"><b className="mono">{result.command_tag || t.run.command}</b><span className="faint">{duration(run.elapsed_ms)}</span><span className="grow" />{actions}</div>
        <Notices notices={statement.notices} />
      </>
    )
  }
  return (
    <Tabs.Root className="one-result" value={kind} onValueChange={(v) => onView({ ...view, kind: v as View['kind'] })}>
      <div className="result-bar">
        <Tabs.List className="tabs" aria-label={t.run.title}>
          <Tabs.Trigger className="tab" value="table"><Table2 size={14} aria-hidden="true" />{t.run.table}</Tabs.Trigger>
          <Tabs.Trigger className="tab" value="chart"><ChartColumn size={14} aria-hidden="true" />{t.run.chart}</Tabs.Trigger>
        </Tabs.List>
        <span className="result-facts mono">
          <span>{result.truncated ? t.run.firstRows(count(result.row_count)) : rowCount(result.row_count)}</span>
          <span>{duration(run.elapsed_ms)}</span>
          <span className="wide-only">{bytes(result.bytes)}</span>
        </span>
        <span className="grow" />
        {actions}
      </div>
      {result.truncated && <Bar tone="warn" actions={limit}>{truncation(result.truncated, result.row_count)}</Bar>}
      <Notices notices={statement.notices} />
      <Tabs.Content value="table" className="tab-body" tabIndex={-1}>
        <ResultGrid key={run.id + statement.index} runId={run.id} statement={statement.index} columns={result.columns} rowCount={result.row_count} rows={view.rows} />
      </Tabs.Content>
      <Tabs.Content value="chart" className="tab-body" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          {shown && <ChartPanel runId={run.id} statement={statement.index} columns={result.columns} rowCount={result.row_count} spec={shown} onSpec={(s) => { setSpec(s); onView({ ...view, kind: 'chart', chart: JSON.stringify(s) }); onChart?.(s) }} />}
        </Suspense>
      </Tabs.Content>
    </Tabs.Root>
  )
}

function truncation(by: Truncated, rows: number): string {
  return by.by === 'max_rows' ? t.run.truncatedRows(count(rows)) : t.run.truncatedBytes(count(rows), bytes(by.limit))
}
