import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Clock, Search } from 'lucide-react'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { query } from '../api/client'
import { usePages } from '../api/hooks'
import type { Run } from '../api/types'
import { short } from '../base'
import { useTopic } from '../events/stream'
import { duration, oneLine, rowCount } from '../format'
import { Button, Empty, Failure, Input, Select, Skeleton, StateDot, Time, useTitle } from '../parts'
import { t } from '../strings'

export interface HistorySearch { q?: string; state?: string }

export function HistoryPage() {
  useTitle(t.history.title)
  const navigate = useNavigate()
  const client = useQueryClient()
  const search: HistorySearch = useSearch({ strict: false })
  const set = (next: HistorySearch) => void navigate({ to: '/history', search: Object.fromEntries(Object.entries({ ...search, ...next }).filter(([, v]) => v)), replace: true })
  const [text, setText] = useState(search.q ?? '')
  useEffect(() => {
    const timer = setTimeout(() => { if (text !== (search.q ?? '')) set({ q: text }) }, 250)
    return () => clearTimeout(timer)
  })
  const path = '/runs' + query({ submitter: 'me', q: search.q, state: search.state })
  const list = usePages<Run>(['runs', 'history', path], path)
  const live = useTopic<Partial<Run>[]>('runs')
  const states = live?.data.map((r) => `${r.id}${r.state}`).join(' ')
  useEffect(() => { if (states !== undefined) void client.invalidateQueries({ queryKey: ['runs', 'history'] }) }, [states, client])
  const items = list.data?.pages.flatMap((p) => p.items) ?? []
  const filtered = Boolean(search.q || search.state)
  return (
    <div className="page">
      <h1>{t.history.title}</h1>
      <p className="lead">{t.history.lead}</p>
      <div className="filters">
        <div className="search-box"><Search size={15} aria-hidden="true" /><Input hideLabel type="search" label={t.history.search} placeholder={t.history.search} value={text} onChange={(e) => setText(e.target.value)} /></div>
        <Select hideLabel label={t.history.state} value={search.state ?? ''} onChange={(e) => set({ state: e.target.value })}>
          <option value="">{t.history.anyState}</option>
          {Object.entries(t.run.states).map(([k, v]) => <option key={k} value={k}>{v}</option>)}
        </Select>
      </div>
      {list.isPending && <Skeleton rows={9} />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data && items.length === 0 && <Empty icon={<Clock size={20} />} title={filtered ? t.history.nothing : t.history.empty} hint={filtered ? t.history.nothingHint : t.history.emptyHint} />}
      {items.length > 0 && (
        <div className="table-wrap">
          <table className="table rows">
            <thead><tr><th scope="col">{t.history.state}</th><th scope="col">{t.history.what}</th><th scope="col" className="num wide-only">{t.history.rows}</th><th scope="col" className="num wide-only">{t.history.took}</th><th scope="col" className="wide-only">{t.history.via}</th><th scope="col">{t.history.when}</th></tr></thead>
            <tbody>
              {items.map((r) => {
                const result = r.statements[0]?.result
                return (
                  <tr key={r.id}>
                    <td className="tight"><StateDot state={r.state} /></td>
                    <td className="what"><Link to="/r/$id" params={{ id: short(r.id) }} className="row-link">{r.title || (r.sql ? <code>{oneLine(r.sql)}</code> : t.history.sqlClosed)}</Link>{r.title && r.sql && <code className="row-sub">{oneLine(r.sql)}</code>}</td>
                    <td className="num mono wide-only">{result ? (result.columns.length ? rowCount(result.row_count).replace(/ rows?$/, '') + (result.truncated ? '+' : '') : result.command_tag) : ''}</td>
                    <td className="num mono wide-only">{r.times.finished ? duration(r.elapsed_ms) : ''}</td>
                    <td className="wide-only">{r.via}</td>
                    <td className="tight"><Time at={r.times.submitted} /></td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
      {list.hasNextPage && <Button className="load-more" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.loadMore}</Button>}
    </div>
  )
}
