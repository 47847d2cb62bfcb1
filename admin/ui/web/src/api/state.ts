import type { Run } from './types'

export function finished(run: Run): boolean {
  return run.state === 'succeeded' || run.state === 'failed' || run.state === 'canceled'
}

/**
 * Of two looks at a run the later one: answers overtake each other, and events
 * overtake answers. What has ended is later than anything that has not.
 */
export function newest(old: Run | undefined, next: Run): Run {
  return old && !finished(next) && (finished(old) || old.version > next.version) ? old : next
}
