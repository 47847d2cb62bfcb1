// The text being written: loaded, kept on the server every two seconds, and in this
// browser at once in case the office is away.
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { Problem, request } from '../api/client'
import type { ChartSpec, Query, QueryParam } from '../api/types'

const quiet = 2000

export type SaveState = 'clean' | 'dirty' | 'saving' | 'saved' | 'local' | 'conflict'

export interface Working { sql: string; params: QueryParam[]; chart: ChartSpec | null }

interface Rescue extends Working { at: number }

const rescueKey = (id: string) => 'lk:rescue:' + id

export function readRescue(id: string): Rescue | null {
  try {
    return JSON.parse(localStorage.getItem(rescueKey(id)) ?? 'null') as Rescue | null
  } catch {
    return null
  }
}

export function dropRescue(id: string): void {
  localStorage.removeItem(rescueKey(id))
}

function writeRescue(id: string, work: Working): void {
  try {
    localStorage.setItem(rescueKey(id), JSON.stringify({ ...work, at: Date.now() }))
  } catch {
    // A full store: the server's copy is the one that counts.
  }
}

interface Options {
  query: Query | null
  target: string
  /** Whose working copies this person has on the server. */
  owner: string
  /** Called when the first words of a new text made a draft. */
  onDraft: (q: Query) => void
}

/** Keeps what is written. A text of somebody else, or none yet, becomes a draft of one's own. */
export function useAutosave({ query, target, owner, onDraft }: Options) {
  const client = useQueryClient()
  const [state, setState] = useState<SaveState>('clean')
  const current = useRef<Query | null>(query)
  const pending = useRef<Working | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const busy = useRef<Promise<void> | null>(null)
  const callbacks = useRef({ target, owner, onDraft })
  useEffect(() => { callbacks.current = { target, owner, onDraft } })

  const put = useCallback((q: Query) => {
    current.current = q
    client.setQueryData(['query', q.id], q)
  }, [client])

  const write = useCallback(async (): Promise<void> => {
    const work = pending.current
    if (!work) return
    pending.current = null
    setState('saving')
    const q = current.current
    try {
      if (!q || !q.can.edit) {
        if (work.sql.trim() === '') { setState('clean'); return }
        const made = await request<Query>('POST', '/queries', { body: { title: q ? q.title : '', sql: work.sql, params: work.params, chart: work.chart, draft: true, target: callbacks.current.target } })
        put(made.data)
        if (!pending.current) dropRescue(q?.id ?? 'new')
        callbacks.current.onDraft(made.data)
      } else {
        const answer = await request<Query>('PATCH', `/queries/${q.id}`, { body: { working: work }, headers: { 'If-Match': `"v${q.rev}"` } })
        put(answer.data)
        if (!pending.current) dropRescue(q.id)
      }
      setState(pending.current ? 'dirty' : 'saved')
    } catch (err) {
      pending.current ??= work
      const status = err instanceof Problem ? err.status : 0
      setState(status === 412 ? 'conflict' : 'local')
      if (status === 0 || status >= 500) timer.current = setTimeout(() => void flushRef.current(), 5000)
    }
  }, [put])

  const flush = useCallback(async () => {
    clearTimeout(timer.current)
    while (busy.current) await busy.current
    busy.current = write().finally(() => { busy.current = null })
    await busy.current
  }, [write])
  const flushRef = useRef(flush)
  useEffect(() => { flushRef.current = flush }, [flush])

  /** Saves a text while nothing else is kept. What is typed meanwhile is kept after it. */
  const save = useCallback(async (work: Working, act: (work: Working, q: Query | null) => Promise<Query>): Promise<Query> => {
    while (busy.current) await busy.current
    clearTimeout(timer.current)
    pending.current = null
    const before = current.current
    const saving = act(work, before)
    busy.current = saving.then(() => undefined, () => undefined).finally(() => { busy.current = null })
    const saved = await saving
    put(saved)
    if (pending.current === null) {
      dropRescue(before?.id ?? 'new')
      setState('clean')
    }
    return saved
  }, [put])

  const change = useCallback((work: Working) => {
    const q = current.current
    writeRescue(q?.id ?? 'new', work)
    // A query of one's team has one working copy, its owner's: mine stays in this browser until it is saved.
    if (q?.can.edit && q.owner.id !== callbacks.current.owner) return
    pending.current = work
    setState((s) => (s === 'conflict' ? s : 'dirty'))
    clearTimeout(timer.current)
    timer.current = setTimeout(() => void flushRef.current(), quiet)
  }, [])

  /** Takes the newest revision as the base and writes ours over it. */
  const overwrite = useCallback(async () => {
    const q = current.current
    if (!q) return
    put((await request<Query>('GET', `/queries/${q.id}`)).data)
    if (!pending.current) setState('clean')
    await flushRef.current()
  }, [put])

  /** Somebody else's revision was met by a save. */
  const conflict = useCallback(() => setState('conflict'), [])

  const discard = useCallback(() => {
    pending.current = null
    clearTimeout(timer.current)
    if (current.current) dropRescue(current.current.id)
    setState('clean')
  }, [])

  useEffect(() => () => { void flushRef.current() }, [])

  return { state, change, flush, save, overwrite, conflict, discard, put, current }
}
