import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useMemo } from 'react'
import { send } from '../api/client'
import type { Aggregate, ChartSpec, ChartType, ChartY, Column } from '../api/types'
import { count, rowCount } from '../format'
import { isNumeric } from '../grid/cell'
import { Empty, Failure, Loading, Select } from '../parts'
import { t } from '../strings'
import { fullNumber, plotOf } from './map'

const Drawing = lazy(() => import('./Drawing'))

interface Props { runId: string; statement: number; columns: Column[]; rowCount: number; spec: ChartSpec; onSpec: (spec: ChartSpec) => void }

export function ChartPanel({ runId, statement, columns, rowCount, spec, onSpec }: Props) {
  const answer = useQuery({
    queryKey: ['aggregate', runId, statement, spec], enabled: rowCount > 0, staleTime: Infinity, placeholderData: (old) => old,
    queryFn: () => send<Aggregate>('POST', `/runs/${runId}/aggregate?statement=${statement}`, clean(spec)),
  })
  if (rowCount === 0) return <Empty title={t.chart.none} />
  return (
    <div className="chart">
      <Controls columns={columns} spec={spec} onSpec={onSpec} />
      <div className="chart-body">
        {answer.isPending && <Loading />}
        {answer.isError && <Failure error={answer.error} onRetry={() => void answer.refetch()} />}
        {answer.data && <Chart spec={spec} answer={answer.data} />}
      </div>
    </div>
  )
}

/** A big number needs nothing across. */
function clean(spec: ChartSpec): ChartSpec {
  if (spec.type !== 'number') return spec
  const { series: _, ...rest } = spec
  return { ...rest, x: '' }
}

function Chart({ spec, answer }: { spec: ChartSpec; answer: Aggregate }) {
  const plot = useMemo(() => plotOf(spec.type === 'number' ? clean(spec) : spec, answer), [spec, answer])
  const value = spec.y.map((y) => (y.agg === 'none' ? y.col : `${t.chart.aggs[y.agg]} ${y.col}`)).join(', ')
  const label = spec.type === 'number' ? value : t.chart.title(value, spec.x)
  return (
    <figure>
      {spec.type === 'number' ? (
        <div className="big-number"><b>{fullNumber(plot.series[0]?.points[0] ?? null)}</b><span>{label}</span></div>
      ) : (
        <Suspense fallback={<Loading />}><Drawing spec={spec} plot={plot} label={label} /></Suspense>
      )}
      <figcaption>
        <span>{from(answer)}</span>
        {answer.series_cut && <span className="warn-text">{t.chart.cut}</span>}
        {answer.truncated && <span className="warn-text">{t.chart.pointsCut}</span>}
        <AsTable answer={answer} />
      </figcaption>
    </figure>
  )
}

function from(a: Aggregate): string {
  return a.from_rows === a.of_rows ? t.chart.fromAll(rowCount(a.from_rows)) : t.chart.from(count(a.from_rows), count(a.of_rows))
}

const tableRows = 200

function AsTable({ answer }: { answer: Aggregate }) {
  return (
    <details className="chart-table">
      <summary>{t.chart.asTable}</summary>
      <div className="table-wrap" tabIndex={0} role="region" aria-label={t.chart.asTable}>
        <table className="table">
          <thead><tr>{answer.columns.map((c, i) => <th key={i} scope="col">{c.name}</th>)}</tr></thead>
          <tbody>
            {answer.rows.slice(0, tableRows).map((r, i) => <tr key={i}>{r.map((c, k) => <td key={k} className={isNumeric(answer.columns[k]?.type ?? '') ? 'num' : undefined}>{c ?? <i className="null">{t.grid.null}</i>}</td>)}</tr>)}
          </tbody>
        </table>
      </div>
    </details>
  )
}

function Controls({ columns, spec, onSpec }: { columns: Column[]; spec: ChartSpec; onSpec: (s: ChartSpec) => void }) {
  const names = [...new Set(columns.map((c) => c.name))]
  const y = spec.y[0] ?? { col: '', agg: 'sum' as const }
  const setY = (next: Partial<ChartY>) => onSpec({ ...spec, y: [{ ...y, ...next }, ...spec.y.slice(1)] })
  const flat = spec.type === 'number'
  return (
    <div className="chart-controls">
      <Select label={t.chart.type} value={spec.type} onChange={(e) => onSpec({ ...spec, type: e.target.value as ChartType, x: spec.x || (names[0] ?? '') })}>
        {Object.entries(t.chart.types).map(([k, v]) => <option key={k} value={k}>{v}</option>)}
      </Select>
      {!flat && <Select label={t.chart.x} value={spec.x} onChange={(e) => onSpec({ ...spec, x: e.target.value })}>{names.map((n) => <option key={n}>{n}</option>)}</Select>}
      <Select label={t.chart.y} value={y.col} onChange={(e) => setY({ col: e.target.value })}>{names.map((n) => <option key={n}>{n}</option>)}</Select>
      <Select label={t.chart.agg} value={y.agg} onChange={(e) => setY({ agg: e.target.value as ChartY['agg'] })}>
        {Object.entries(t.chart.aggs).map(([k, v]) => <option key={k} value={k}>{v}</option>)}
      </Select>
      {!flat && spec.type !== 'pie' && (
        <Select label={t.chart.series} value={spec.series ?? ''} onChange={(e) => { const { series: _, ...rest } = spec; onSpec(e.target.value ? { ...rest, series: e.target.value } : rest) }}>
          <option value="">{t.chart.noSeries}</option>
          {names.filter((n) => n !== spec.x).map((n) => <option key={n}>{n}</option>)}
        </Select>
      )}
      {(spec.type === 'bar' || spec.type === 'hbar' || spec.type === 'area') && (
        <label className="tick"><input type="checkbox" checked={spec.stack ?? spec.type === 'area'} onChange={(e) => onSpec({ ...spec, stack: e.target.checked })} />{t.chart.stack}</label>
      )}
    </div>
  )
}
