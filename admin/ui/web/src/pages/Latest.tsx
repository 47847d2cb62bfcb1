import { useQuery } from '@tanstack/react-query'
import { Navigate, useParams } from '@tanstack/react-router'
import { get, Problem } from '../api/client'
import type { Run } from '../api/types'
import { queryId, short } from '../base'
import { Empty, Failure, NotFound, Skeleton, useTitle } from '../parts'
import { t } from '../strings'

/** An address that leads to the newest result of a query that is open to whoever comes. */
export function Latest() {
  const { id = '' } = useParams({ strict: false })
  useTitle(t.query.latest)
  const path = `/queries/${queryId(id)}`
  const run = useQuery({ queryKey: ['latest', id], gcTime: 0, queryFn: ({ signal }) => get<Run>(path + '/latest', { signal }) })
  const none = run.error instanceof Problem && run.error.status === 404
  // Of a query that is open to them, people are told that there is no result yet.
  const query = useQuery({ queryKey: ['query', queryId(id)], enabled: none, queryFn: ({ signal }) => get<{ title: string }>(path, { signal }) })
  if (run.data) return <Navigate to="/r/$id" params={{ id: short(run.data.id) }} replace />
  if (none && query.isError) return <NotFound heading />
  return (
    <div className="page">
      <h1 className="hidden">{t.query.latest}</h1>
      {run.isError && !none && <Failure error={run.error} onRetry={() => void run.refetch()} />}
      {query.data && <Empty title={t.query.latestNone} hint={t.query.latestNoneHint} />}
      {(run.isPending || (none && query.isPending)) && <Skeleton rows={5} />}
    </div>
  )
}
