import { Problem } from '../api/problem'
import type { Cell, RowsPage } from '../api/types'

export const pageSize = 500
const keep = 60
const atOnce = 3

export type Fetch = (offset: number, limit: number, signal: AbortSignal) => Promise<RowsPage>

/**
 * The rows of one result in one order, page by page. Keeps the pages that were
 * looked at last, asks for each page once, and drops questions nobody waits for
 * any more: a fast scroll over a million rows asks for what it ends at.
 */
export class Pages {
  private readonly pages = new Map<number, Cell[][]>()
  private readonly asking = new Map<number, AbortController>()
  private wanted: number[] = []
  private readonly listeners = new Set<() => void>()
  private readonly fetch: Fetch
  private closed = false
  private stopped = false
  /** Grows with each change, for useSyncExternalStore. */
  version = 0
  /** How many rows pass the filter, once known. */
  filtered: number | null = null
  error: Problem | null = null // stays in sight until rows come again

  constructor(fetch: Fetch) {
    this.fetch = fetch
  }

  subscribe = (f: () => void): (() => void) => {
    this.listeners.add(f)
    return () => this.listeners.delete(f)
  }

  /** The row, or undefined while it is on its way. */
  row(i: number): Cell[] | undefined {
    return this.pages.get(Math.floor(i / pageSize))?.[i % pageSize]
  }

  /** Says which rows are in sight; loads the pages they lie in. */
  want(first: number, last: number): void {
    const pages: number[] = []
    for (let p = Math.floor(first / pageSize); p <= Math.floor(Math.max(first, last - 1) / pageSize); p++) pages.push(p)
    this.wanted = pages.filter((p) => !this.pages.has(p))
    for (const p of pages) this.touch(p)
    for (const [p, abort] of this.asking) {
      if (!pages.includes(p)) {
        abort.abort()
        this.asking.delete(p)
      }
    }
    this.pump()
  }

  retry(): void {
    this.stopped = false
    this.pump()
    if (this.asking.size > 0) return
    this.error = null
    this.changed()
  }

  /** Rows for copying, whether they are loaded or not. */
  async range(first: number, last: number, signal: AbortSignal): Promise<Cell[][]> {
    const rows: Cell[][] = []
    for (let i = first; i < last; i++) {
      const row = this.row(i)
      if (!row) break
      rows.push(row)
    }
    while (first + rows.length < last) {
      const page = await this.fetch(first + rows.length, Math.min(10_000, last - first - rows.length), signal)
      if (page.rows.length === 0) break
      rows.push(...page.rows)
    }
    return rows
  }

  open(): void {
    this.closed = false
  }

  close(): void {
    this.closed = true
    for (const abort of this.asking.values()) abort.abort()
    this.asking.clear()
  }

  private pump(): void {
    if (this.closed || this.stopped) return
    for (const p of this.wanted) {
      if (this.asking.size >= atOnce) return
      if (!this.asking.has(p) && !this.pages.has(p)) void this.ask(p)
    }
  }

  private async ask(p: number): Promise<void> {
    const abort = new AbortController()
    this.asking.set(p, abort)
    try {
      const page = await this.fetch(p * pageSize, pageSize, abort.signal)
      if (abort.signal.aborted) return
      this.pages.set(p, page.rows)
      this.filtered = page.filtered_count
      if (!this.stopped) this.error = null
      this.forget()
    } catch (err) {
      if (abort.signal.aborted) return
      this.stopped = true
      this.error = err instanceof Problem ? err : new Problem({ title: String(err), status: 0, code: 'unexpected' })
    } finally {
      if (this.asking.get(p) === abort) this.asking.delete(p)
    }
    this.changed()
    this.pump()
  }

  /** Makes a page the last to be forgotten. */
  private touch(p: number): void {
    const rows = this.pages.get(p)
    if (!rows) return
    this.pages.delete(p)
    this.pages.set(p, rows)
  }

  private forget(): void {
    for (const p of this.pages.keys()) {
      if (this.pages.size <= keep) return
      this.pages.delete(p)
    }
  }

  private changed(): void {
    this.version++
    for (const f of this.listeners) f()
  }
}
