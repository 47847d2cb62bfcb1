import { useQuery } from '@tanstack/react-query'
import { useRouterState, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { get, Problem } from '../api/client'
import { useMe } from '../api/hooks'
import type { Query, QueryVersion } from '../api/types'
import { queryId } from '../base'
import { editorHere, fetchEditor } from '../editor/load'
import { Failure, NotFound, Skeleton } from '../parts'
import { comesForChart } from '../query/opens'
import { Workbench } from '../query/Workbench'
import { t } from '../strings'

export interface QuerySearch { run?: string; sql?: string; statement?: string; view?: string; chart?: string }

// The page's code is here: the editor's may come at the same time, unless what is looked
// at is a run, and so perhaps a chart.
if (!new URLSearchParams(window.location.search).has('run')) void fetchEditor().catch(() => undefined)

// A new text becomes a draft while one types: its address changes, the editor must
// not. So the page's key stays what it was before the draft had an id.
const adopted = new Map<string, string>()
let serial = 0

interface Place { key: string; id: string | null; version: number | null }

/** What an address means here, or null when it leads to another page. */
function placeOf(path: string, fresh: number): Place | null {
  if (path.endsWith('/new')) return { key: `new-${fresh}`, id: null, version: null }
  const m = /\/[dq]\/([^/]+)(?:\/v\/(\d+))?$/.exec(path)
  if (!m) return null
  const id = queryId(decodeURIComponent(m[1]!))
  if (m[2]) return { key: `${id} ${m[2]}`, id, version: Number(m[2]) }
  return { key: adopted.get(id) ?? id, id, version: null }
}

export function QueryPage() {
  // Read off the location alone: the router's parameters follow it a moment later.
  const location = useRouterState({ select: (s) => s.location })
  const [own] = useState(() => ++serial)
  const kept = useRef<Place | null>(null)
  const place = placeOf(location.pathname, (location.state as { fresh?: number }).fresh ?? own) ?? kept.current
  kept.current = place
  return place && <Loader key={place.key} pageKey={place.key} id={place.id} version={place.version} />
}

function Loader({ id: current, version, pageKey }: { id: string | null; version: number | null; pageKey: string }) {
  const [id] = useState(current)
  const me = useMe()
  const query = useQuery({ queryKey: ['query', id], enabled: id !== null, staleTime: Infinity, gcTime: 0, queryFn: ({ signal }) => get<Query>(`/queries/${id}`, { signal }) })
  const old = useQuery({ queryKey: ['version', id, version], enabled: id !== null && version !== null, staleTime: Infinity, queryFn: ({ signal }) => get<QueryVersion>(`/queries/${id}/versions/${version}`, { signal }) })
  const error = query.error ?? old.error
  const search: QuerySearch = useSearch({ strict: false })
  const forChart = comesForChart(search, id === null ? null : query.data)
  const [editor, setEditor] = useState(() => editorHere() !== null)
  useEffect(() => {
    if (forChart !== false || editor) return
    const go = () => setEditor(true) // without its code the text is shown plainly
    fetchEditor().then(go, go)
  }, [forChart, editor])
  useEffect(() => () => { if (id === null) adopted.clear() }, [id])
  if (error instanceof Problem && error.status === 404) return <NotFound heading />
  if (error) return <div className="page"><h1 className="hidden">{t.query.title}</h1><Failure error={error} onRetry={() => void query.refetch()} /></div>
  const ready = me.data && (id === null || query.data) && (version === null || old.data) && (editor || forChart)
  if (!ready) return <div className="page"><h1 className="hidden">{t.query.title}</h1><Skeleton rows={10} /></div>
  return <Workbench me={me.data} query={query.data ?? null} version={old.data ?? null} onAdopt={(draft) => { adopted.set(draft.id, pageKey) }} />
}
