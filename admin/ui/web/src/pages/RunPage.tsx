import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Lock, Pin, Snowflake } from 'lucide-react'
import { useMemo } from 'react'
import { Problem } from '../api/client'
import { useRun } from '../api/run'
import { finished } from '../api/state'
import type { Run } from '../api/types'
import { runId, short } from '../base'
import { exactTime, oneLine } from '../format'
import { Badge, CopyButton, Empty, Failure, NotFound, Skeleton, Time, useTitle } from '../parts'
import { CopyLink, DownloadMenu, MoreActions, OpenInEditor, RunAgain } from '../run/actions'
import { Results } from '../run/Results'
import { askedStatement, linkSearch, shownStatement, statementSearch, type View } from '../run/shown'
import { RunFacts } from '../run/Status'
import { t } from '../strings'

export interface RunSearch { rows?: string; chart?: string; statement?: string }

export function RunPage() {
  const { id = '' } = useParams({ strict: false })
  const run = useRun(runId(id))
  useTitle(run.data ? nameOf(run.data) : t.run.title)
  if (run.error instanceof Problem && run.error.status === 404) return <NotFound heading />
  return (
    <div className="page run-page">
      {run.isPending && <><h1 className="hidden">{t.run.title}</h1><Skeleton rows={9} /></>}
      {run.isError && <><h1 className="hidden">{t.run.title}</h1><Failure error={run.error} onRetry={() => void run.refetch()} /></>}
      {run.data && <Loaded run={run.data} />}
    </div>
  )
}

function nameOf(run: Run): string {
  return run.title || (run.sql ? oneLine(run.sql).slice(0, 90) : `${t.run.title} ${short(run.id)}`)
}

function Loaded({ run }: { run: Run }) {
  const search: RunSearch = useSearch({ strict: false })
  const navigate = useNavigate()
  const statement = askedStatement(search)
  const shown = shownStatement(run, statement)
  const view = useMemo<View>(() => ({ kind: search.chart !== undefined ? 'chart' : 'table', statement, chart: search.chart, rows: search.rows }), [search, statement])
  const onView = (next: View) => void navigate({
    to: '/r/$id', params: { id: short(run.id) }, replace: true,
    search: { ...statementSearch(next.statement), ...(next.kind === 'chart' ? { chart: next.chart ?? '' } : {}), ...(next.kind === 'table' && next.rows && next.statement === statement ? { rows: next.rows } : {}) },
  })
  const gone = run.deleted || run.rows_expired
  const kept = finished(run) && !gone && run.statements.some((s) => s.result)
  return (
    <>
      <header className="run-head">
        <div className="run-title">
          <h1>{nameOf(run)}</h1>
          {kept && <Badge tone="info" title={t.run.frozenHint} icon={<Snowflake size={12} aria-hidden="true" />}>{t.run.frozen}</Badge>}
          {run.pinned && <Badge tone="good" icon={<Pin size={12} aria-hidden="true" />}>{t.run.pinned}</Badge>}
          {kept && run.viewers_only && <Badge tone="warn" title={run.viewers_only} icon={<Lock size={12} aria-hidden="true" />}>{t.run.viewersOnly}</Badge>}
        </div>
        <div className="run-actions">
          <CopyLink run={run} search={linkSearch(run, view, null)} />
          <OpenInEditor run={run} />
          {!gone && <RunAgain run={run} />}
          {!gone && <DownloadMenu run={run} statement={shown} />}
          <MoreActions run={run} />
        </div>
        <p className="run-by">
          <RunFacts run={run} />
          <span>{t.run.ranBy(run.submitter.name || run.submitter.login)}{run.submitter.on_behalf_of && ' ' + t.run.onBehalf(run.submitter.on_behalf_of)}</span>
          <Time at={run.times.finished ?? run.times.submitted} />
          <span>{t.run.via(run.via)}</span>
          {run.query && <Link to="/q/$id" params={{ id: short(run.query.id) }}>{run.query.title || t.nav.query}, {t.query.version(run.query.version).toLowerCase()}</Link>}
          {run.expires_at && !gone && <span>{t.run.expires(exactTime(run.expires_at))}</span>}
        </p>
      </header>
      <SqlFold run={run} open={gone && !run.deleted} />
      {gone ? (
        <Empty title={run.deleted ? t.run.deletedTitle : t.run.expiredTitle} hint={run.deleted ? t.run.deletedText : t.run.expiredText}>
          <RunAgain run={run} look="primary" />
        </Empty>
      ) : (
        <Results run={run} view={view} onView={onView} />
      )}
    </>
  )
}

function SqlFold({ run, open }: { run: Run; open: boolean }) {
  if (run.sql === null) return run.deleted ? null : <p className="hint">{t.run.sqlHidden}</p>
  return (
    <details className="sql-fold" open={open}>
      <summary>{t.run.sqlFold} <code className="faint">{oneLine(run.sql).slice(0, 120)}</code></summary>
      <div className="sql-fold-body">
        <pre tabIndex={0}>{run.sql}</pre>
        <CopyButton text={run.sql} />
      </div>
      {run.params.length > 0 && (
        <p className="sql-params">{t.run.params} {run.params.map((p) => <code key={p.name}>:{p.name} = {p.value === null ? t.grid.null : typeof p.value === 'object' ? JSON.stringify(p.value) : String(p.value)} <span className="faint">{p.type}</span></code>)}</p>
      )}
    </details>
  )
}
