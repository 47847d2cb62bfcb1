import { useQuery } from '@tanstack/react-query'
import { useParams, useRouterState } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { get, Problem } from '../api/client'
import { useMe } from '../api/hooks'
import type { Query, QueryVersion } from '../api/types'
import { queryId } from '../base'
import { Failure, NotFound, Skeleton } from '../parts'
import { Workbench } from '../query/Workbench'
import { t } from '../strings'

export interface QuerySearch { run?: string; sql?: string; statement?: string; view?: string; chart?: string }

// A new text becomes a draft while one types: its address changes, the editor must
// not. So the page's key stays what it was before the draft had an id.
const adopted = new Map<string, string>()
let serial = 0

export function QueryPage() {
  const { id, n } = useParams({ strict: false })
  const path = useRouterState({ select: (s) => s.location.pathname })
  const state = useRouterState({ select: (s) => s.location.state as { fresh?: number } })
  const [own] = useState(() => ++serial)
  const isNew = id === undefined
  const key = isNew ? `new-${state.fresh ?? own}-${path}` : (adopted.get(queryId(id)) ?? `${id}${n ?? ''}`)
  return <Loader key={key} pageKey={key} id={isNew ? null : queryId(id)} version={n ? Number(n) : null} />
}

function Loader({ id: current, version, pageKey }: { id: string | null; version: number | null; pageKey: string }) {
  const [id] = useState(current)
  const me = useMe()
  const query = useQuery({ queryKey: ['query', id], enabled: id !== null, staleTime: Infinity, gcTime: 0, queryFn: ({ signal }) => get<Query>(`/queries/${id}`, { signal }) })
  const old = useQuery({ queryKey: ['version', id, version], enabled: id !== null && version !== null, staleTime: Infinity, queryFn: ({ signal }) => get<QueryVersion>(`/queries/${id}/versions/${version}`, { signal }) })
  const error = query.error ?? old.error
  useEffect(() => () => { if (id === null) adopted.clear() }, [id])
  if (error instanceof Problem && error.status === 404) return <NotFound heading />
  if (error) return <div className="page"><h1 className="hidden">{t.query.title}</h1><Failure error={error} onRetry={() => void query.refetch()} /></div>
  const ready = me.data && (id === null || query.data) && (version === null || old.data)
  if (!ready) return <div className="page"><h1 className="hidden">{t.query.title}</h1><Skeleton rows={10} /></div>
  return <Workbench me={me.data} query={query.data ?? null} version={old.data ?? null} onAdopt={(draft) => { adopted.set(draft.id, pageKey) }} />
}
