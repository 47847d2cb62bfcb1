import type { QueryVersion, Run } from '../api/types'

/** What to run once more: a version of a saved query, or a text. */
export type What = { query: { id: string; version: number } } | { sql: string | null }

/**
 * The same version of the same query as long as it says what ran; a draft changes
 * its only one. Where it says something else, or is not open, the text counts.
 */
export function whatAgain(run: Run, version: Pick<QueryVersion, 'sql' | 'params'> | null): What {
  if (!run.query || !version || version.sql !== run.sql) return { sql: run.sql }
  const bound = version.params.every((d) => run.params.some((p) => p.name === d.name && p.type === d.type))
  return bound ? { query: { id: run.query.id, version: run.query.version } } : { sql: run.sql }
}
