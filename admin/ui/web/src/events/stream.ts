import { useSyncExternalStore } from 'react'
import { apiUrl, get } from '../api/client'

export type Topic = 'runs' | 'me' | 'connect'

export interface Snapshot<T> { topic: Topic; version: number; data: T }

const snapshots = new Map<Topic, Snapshot<unknown>>()
const listeners = new Set<() => void>()
let up = false
let ended = '' // why the office ended the stream
let started: { stop: (forAll: boolean) => void } | null = null

const notify = () => { for (const f of listeners) f() }

function take(message: { up?: boolean; snapshot?: Snapshot<unknown>; ended?: string }): void {
  if (message.ended) ended = message.ended
  // A stream ends when the office shuts somebody out: ask, and a 401 leads to sign-in.
  if (started && up && message.up === false) void get('/me').catch(() => undefined)
  if (message.up !== undefined) up = message.up
  if (message.snapshot) snapshots.set(message.snapshot.topic, message.snapshot)
  notify()
}

/** Opens the stream, once for the page. */
export function startStream(): void {
  if (started) return
  const url = new URL(apiUrl('/events?topics=runs,me,connect'), window.location.href).href
  if ('SharedWorker' in window) {
    const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'lockkeeper-events' })
    worker.port.onmessage = (e) => take(e.data)
    worker.port.start()
    worker.port.postMessage({ open: url })
    window.addEventListener('pagehide', () => worker.port.postMessage({ leave: true }))
    window.addEventListener('pageshow', (e) => { if (e.persisted) worker.port.postMessage({ open: url }) })
    started = { stop: (forAll) => worker.port.postMessage(forAll ? { close: true } : { leave: true }) }
    return
  }
  const source = new EventSource(url)
  source.onopen = () => take({ up: true })
  source.onerror = () => take({ up: false })
  const read = (e: MessageEvent<string>) => take({ up: true, snapshot: JSON.parse(e.data) })
  source.onmessage = read
  for (const topic of ['runs', 'me', 'connect']) source.addEventListener(topic, read)
  source.addEventListener('ended', (e: MessageEvent<string>) => take({ ended: (JSON.parse(e.data) as { reason: string }).reason }))
  started = { stop: () => source.close() }
}

/** Why the office shut this person out, if it said so; empty otherwise. */
export const whyEnded = (): string => ended

/** Ends the stream of all tabs: the session is over. */
export function stopStream(): void {
  started?.stop(true)
  started = null
  snapshots.clear()
  take({ up: false })
}

function subscribe(f: () => void): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

/** The last snapshot of a topic, or undefined while none has come. */
export function useTopic<T>(topic: Topic): Snapshot<T> | undefined {
  return useSyncExternalStore(subscribe, () => snapshots.get(topic) as Snapshot<T> | undefined)
}

/** Whether live updates come; if not, callers ask by themselves. */
export function useStreamUp(): boolean {
  return useSyncExternalStore(subscribe, () => up)
}
