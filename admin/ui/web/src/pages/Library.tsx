import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { BookOpen, Search, Star, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { query } from '../api/client'
import { useChange, usePages } from '../api/hooks'
import type { Query } from '../api/types'
import { short } from '../base'
import { Badge, Button, cx, Empty, Failure, Input, Segmented, Skeleton, StateDot, Time, useTitle } from '../parts'
import { t } from '../strings'

export interface LibrarySearch { q?: string; show?: string; tag?: string }

type Show = 'all' | 'mine' | 'team' | 'starred'

export function Library() {
  useTitle(t.library.title)
  const navigate = useNavigate()
  const search: LibrarySearch = useSearch({ strict: false })
  const show = (['mine', 'team', 'starred'].includes(search.show ?? '') ? search.show : 'all') as Show
  const set = (next: LibrarySearch) => void navigate({ to: '/library', search: Object.fromEntries(Object.entries({ ...search, ...next }).filter(([, v]) => v)), replace: true })
  const [text, setText] = useState(search.q ?? '')
  useEffect(() => {
    const timer = setTimeout(() => { if (text !== (search.q ?? '')) set({ q: text }) }, 250)
    return () => clearTimeout(timer)
  })
  const path = '/queries' + query({ q: search.q, tag: search.tag, mine: show === 'mine', my_teams: show === 'team', starred: show === 'starred', draft: 'false' })
  const list = usePages<Query>(['queries', 'library', path], path)
  const items = list.data?.pages.flatMap((p) => p.items) ?? []
  const filtered = Boolean(search.q || search.tag || show !== 'all')
  return (
    <div className="page">
      <h1>{t.library.title}</h1>
      <div className="filters">
        <div className="search-box"><Search size={15} aria-hidden="true" /><Input hideLabel type="search" label={t.library.search} placeholder={t.library.search} value={text} onChange={(e) => setText(e.target.value)} /></div>
        <Segmented<Show> label={t.library.title} value={show} onChange={(v) => set({ show: v === 'all' ? '' : v })} options={[{ value: 'all', label: t.all }, { value: 'mine', label: t.library.mine }, { value: 'team', label: t.library.team }, { value: 'starred', label: t.library.starred }]} />
        {search.tag && <Button small icon={<X size={13} aria-hidden="true" />} aria-label={t.library.clearTag(search.tag)} onClick={() => set({ tag: '' })}>{search.tag}</Button>}
      </div>
      {list.isPending && <Skeleton rows={9} />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty icon={<BookOpen size={20} />} title={filtered ? t.library.nothing : t.library.empty} hint={filtered ? t.library.nothingHint : t.library.emptyHint} />}
      {items.length > 0 && (
        <div className="table-wrap">
          <table className={cx('table', 'rows', list.isPlaceholderData && 'stale')}>
            <thead><tr><th scope="col"><span className="hidden">{t.library.starred}</span></th><th scope="col">{t.library.name}</th><th scope="col" className="wide-only">{t.library.owner}</th><th scope="col">{t.library.lastRun}</th><th scope="col" className="num wide-only">{t.library.runs30}</th><th scope="col" className="wide-only">{t.library.updated}</th></tr></thead>
            <tbody>{items.map((q) => <Row key={q.id} q={q} onTag={(tag) => set({ tag })} />)}</tbody>
          </table>
        </div>
      )}
      {list.hasNextPage && <Button className="load-more" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.loadMore}</Button>}
    </div>
  )
}

function Row({ q, onTag }: { q: Query; onTag: (tag: string) => void }) {
  const star = useChange({ method: q.starred ? 'DELETE' : 'PUT', path: `/queries/${q.id}/star`, refresh: [['queries']] })
  return (
    <tr>
      <td className="tight"><Button look="quiet" small className={cx(q.starred && 'starred')} aria-pressed={q.starred} aria-label={`${q.starred ? t.query.unstar : t.query.star}: ${q.title}`} icon={<Star size={15} aria-hidden="true" />} onClick={() => star.mutate()} /></td>
      <td>
        <Link to="/q/$id" params={{ id: short(q.id) }} className="row-link">{q.title || t.query.untitled}</Link>
        <span className="row-tags">{q.team && <Badge>{q.team}</Badge>}{q.tags.map((x) => <button key={x} type="button" className="badge info tag" onClick={() => onTag(x)}>{x}</button>)}</span>
      </td>
      <td className="wide-only">{q.owner.name || q.owner.login}</td>
      <td>{q.last_run ? <Link to="/r/$id" params={{ id: short(q.last_run.id) }} className="quiet-link"><StateDot state={q.last_run.state} /> <Time at={q.last_run.at} /></Link> : <span className="faint">{t.library.never}</span>}</td>
      <td className="num wide-only">{q.runs_30d}</td>
      <td className="wide-only"><Time at={q.updated} /></td>
    </tr>
  )
}
