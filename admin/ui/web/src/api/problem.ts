import type { ProblemBody } from './types'

const offline = 5000 // milliseconds between two tries to reach the office

/** An answer that was no success: what the server said, in its words. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly body: ProblemBody

  constructor(body: ProblemBody) {
    super(body.detail || body.title)
    this.name = 'Problem'
    this.status = body.status
    this.code = body.code
    this.body = body
  }

  /** In how many milliseconds to ask again without being told to, or null: what passes by itself, such as a server that is away or busy. */
  get again(): number | null {
    if (this.status === 0) return offline
    if (this.status !== 503 && this.code !== 'rate-limited') return null
    return this.body.retry_after_ms === undefined ? null : Math.max(1000, this.body.retry_after_ms)
  }
}
