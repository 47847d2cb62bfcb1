import { Link } from '@tanstack/react-router'
import { ArrowRight, BookOpen, FileText, Play, Plug, SquareTerminal, Star, Users } from 'lucide-react'
import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { query, request } from '../api/client'
import { useCompletions, useItems, useMe } from '../api/hooks'
import type { Explanation, Query, Run } from '../api/types'
import { short } from '../base'
import { duration, oneLine, rowCount } from '../format'
import { Empty, Failure, Skeleton, StateDot, Time, useTitle } from '../parts'
import { samples } from '../sql/sample'
import { t } from '../strings'

export function Home() {
  useTitle(t.home.title)
  const me = useMe().data
  const target = me?.targets[0]
  const drafts = useItems<Query>(['queries', 'drafts'], '/queries' + query({ draft: true, mine: true, limit: 5 }))
  const starred = useItems<Query>(['queries', 'starred'], '/queries' + query({ starred: true, limit: 6 }))
  const shared = useItems<Query>(['queries', 'shared'], '/queries' + query({ my_teams: true, draft: 'false', limit: 6 }))
  const runs = useItems<Run>(['runs', 'mine', 10], '/runs' + query({ submitter: 'me', limit: 10 }))
  const fresh = drafts.data?.length === 0 && runs.data?.length === 0
  if (me && !target) return <div className="page home"><h1 className="hidden">{t.home.title}</h1><Empty title={t.home.noTarget(me.login)} /></div>
  if (fresh && me) return <Welcome name={me.name || me.login} target={target?.name} />
  return (
    <div className="page home">
      <h1 className="hidden">{t.home.title}</h1>
      <Link to="/new" className="write" state={() => ({ fresh: Date.now() }) as object}>
        <SquareTerminal size={22} aria-hidden="true" />
        <span><b>{t.home.write}</b><span className="faint">{target ? t.home.writeHint(target.title || target.name) : ''}</span></span>
        <ArrowRight size={18} aria-hidden="true" />
      </Link>
      <div className="home-cols">
        <Section title={t.home.drafts} result={drafts} none={t.home.noDrafts}>
          {(items) => items.map((q) => (
            <li key={q.id}><Link to="/d/$id" params={{ id: short(q.id) }} className="line"><FileText size={15} aria-hidden="true" className="faint" /><span className="line-main">{q.title || oneLine(q.working?.sql ?? q.sql) || t.query.untitled}</span><Time at={q.working?.at ?? q.updated} /></Link></li>
          ))}
        </Section>
        <Section title={t.home.starred} result={starred} none={t.home.noStarred}>
          {(items) => items.map((q) => (
            <li key={q.id}><Link to="/q/$id" params={{ id: short(q.id) }} className="line"><Star size={15} aria-hidden="true" className="starred" /><span className="line-main">{q.title}</span><span>{q.owner.name}</span></Link></li>
          ))}
        </Section>
        {(me?.teams.length ?? 0) > 0 && (
          <Section title={t.home.shared} result={shared} none={t.home.noShared} more={<Link to="/library" search={{ show: 'team' } as object}>{t.home.seeShared}</Link>}>
            {(items) => items.map((q) => (
              <li key={q.id}><Link to="/q/$id" params={{ id: short(q.id) }} className="line"><Users size={15} aria-hidden="true" className="faint" /><span className="line-main">{q.title}</span><span>{q.owner.name || q.owner.login}</span></Link></li>
            ))}
          </Section>
        )}
      </div>
      <Section title={t.home.runs} result={runs} none={t.home.noRuns} more={<Link to="/history">{t.home.seeAll}</Link>}>
        {(items) => items.map((r) => <li key={r.id}><RunLine run={r} /></li>)}
      </Section>
    </div>
  )
}

export function RunLine({ run }: { run: Run }) {
  const result = run.statements[0]?.result
  return (
    <Link to="/r/$id" params={{ id: short(run.id) }} className="line run-line">
      <StateDot state={run.state} />
      <span className="line-main">{run.title || (run.sql ? <code>{oneLine(run.sql)}</code> : t.history.sqlClosed)}</span>
      <span className="mono wide-only">{result ? (result.columns.length ? rowCount(result.row_count) : result.command_tag) : ''}</span>
      <span className="mono wide-only took">{run.times.finished ? duration(run.elapsed_ms) : ''}</span>
      <Time at={run.times.submitted} />
    </Link>
  )
}

function Section<T>({ title, result, none, more, children }: { title: string; result: UseQueryResult<T[]>; none: string; more?: ReactNode; children: (items: T[]) => ReactNode }) {
  return (
    <section className="card" aria-label={title}>
      <header className="card-head"><h2>{title}</h2>{more}</header>
      {result.isPending && <Skeleton rows={3} />}
      {result.isError && <Failure error={result.error} onRetry={() => void result.refetch()} />}
      {result.data?.length === 0 && <p className="hint card-none">{none}</p>}
      {result.data && result.data.length > 0 && <ul className="lines">{children(result.data)}</ul>}
    </section>
  )
}

/** The first sample that the policy lets run; one question about all of them, and nothing runs. */
function useSample(target: string | undefined): string {
  const catalog = useCompletions(target)
  const offered = samples(catalog.data)
  const verdicts = useQuery({
    queryKey: ['sample', target, offered], enabled: offered.length > 1, staleTime: Infinity, retry: false,
    queryFn: ({ signal }) => request<Explanation>('POST', '/explain', { body: { target, sql: offered.join(';\n') }, signal }).then((a) => a.data.statements.map((s) => s.verdict)),
  })
  return offered.find((_, i) => verdicts.data?.[i] !== 'deny') ?? 'select current_user, now()'
}

function Welcome({ name, target }: { name: string; target: string | undefined }) {
  const sql = useSample(target)
  const cards: [ReactNode, string, string, string, ReactNode][] = [
    [<Play key="i" size={20} aria-hidden="true" />, t.home.sample, t.home.sampleText, t.home.sampleGo, <Link key="l" to="/new" search={{ sql } as object} className="button primary"><span>{t.home.sampleGo}</span></Link>],
    [<Plug key="i" size={20} aria-hidden="true" />, t.home.tool, t.home.toolText, t.home.toolGo, <Link key="l" to="/connect" className="button"><span>{t.home.toolGo}</span></Link>],
    [<BookOpen key="i" size={20} aria-hidden="true" />, t.home.others, t.home.othersText, t.home.othersGo, <Link key="l" to="/library" className="button"><span>{t.home.othersGo}</span></Link>],
  ]
  return (
    <div className="page welcome">
      <h1>{t.home.welcome(name)}</h1>
      <p className="lead">{t.home.welcomeLead}</p>
      <div className="welcome-cards">
        {cards.map(([icon, title, text, , link]) => <section key={title} className="card welcome-card">{icon}<h2>{title}</h2><p className="hint">{text}</p>{link}</section>)}
      </div>
    </div>
  )
}
