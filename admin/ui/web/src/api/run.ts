import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { useStreamUp, useTopic } from '../events/stream'
import { get, Problem, request, send } from './client'
import { finished, newest } from './state'
import type { Run } from './types'

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })

/** Asks for the run again and again, each question held open by the server until something changes. */
async function follow(id: string, version: number, once: boolean, signal: AbortSignal, take: (run: Run) => void): Promise<void> {
  let etag = `"${version}"`
  while (!signal.aborted) {
    try {
      const answer = await request<Run | undefined>('GET', `/runs/${id}`, {
        headers: { Prefer: once ? 'wait=2' : 'wait=25', 'If-None-Match': etag }, signal,
      })
      etag = answer.headers.get('ETag') ?? etag
      if (answer.data) {
        take(answer.data)
        if (finished(answer.data)) return
      }
    } catch (err) {
      if (signal.aborted) return
      if (err instanceof Problem && err.status !== 0 && err.status < 500) return
      await pause(3000, signal)
    }
    await pause(once ? 10_000 : 250, signal)
  }
}

/** The run, kept up to date while it lives: by the event stream, or by asking when that is away. */
export function useRun(id: string | null) {
  const client = useQueryClient()
  const up = useStreamUp()
  const live = useTopic<Partial<Run>[]>('runs')
  const result = useQuery({
    queryKey: ['run', id],
    queryFn: async ({ signal }) => newest(client.getQueryData<Run>(['run', id]), await get<Run>(`/runs/${id}`, { signal })),
    enabled: id !== null,
    staleTime: Infinity,
  })
  const run = result.data
  const active = run !== undefined && !finished(run)
  const version = run?.version ?? 0

  useEffect(() => {
    if (!active || !id) return
    const abort = new AbortController()
    const known = client.getQueryData<Run>(['run', id])?.version ?? 0
    void follow(id, known, up, abort.signal, (next) => client.setQueryData<Run>(['run', id], (old) => newest(old, next)))
    return () => abort.abort()
  }, [active, id, up, client])

  // A run that is not among mine has ended, or is somebody else's: each snapshot is one reason to ask.
  const asked = useRef(-1)
  useEffect(() => {
    if (!active || !id || !live) return
    const mine = live.data.find((r) => r.id === id)
    if (!mine) {
      if (asked.current === live.version) return
      asked.current = live.version
      void client.invalidateQueries({ queryKey: ['run', id] })
    } else if ((mine.version ?? 0) > version) {
      client.setQueryData<Run>(['run', id], (old) => (old ? newest(old, { ...old, ...mine, sql: mine.sql ?? old.sql, statements: mine.statements ?? old.statements }) : old))
    }
  }, [active, id, live, version, client])

  // An interactive run that nobody looks at any more is stopped by the office.
  const cancelable = run?.can.cancel === true
  useEffect(() => {
    if (!active || !id || !cancelable) return
    const timer = setInterval(() => void send('POST', `/runs/${id}/lease`).catch(() => undefined), 30_000)
    return () => clearInterval(timer)
  }, [active, id, cancelable])

  return result
}
