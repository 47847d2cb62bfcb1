import { finished } from '../api/state'
import type { ChartSpec, Run } from '../api/types'

/**
 * How one looks at a run. Where nothing is said of the kind, a chart that was
 * kept is shown; where nothing is said of the statement, what one wants to see first.
 */
export interface View { kind: 'table' | 'chart' | null; statement: number | null; chart?: string | undefined; rows?: string | undefined }

/**
 * The statement that is shown, by its index: the one that was asked for, or else
 * the one that failed, or the first that gave rows.
 */
export function shownStatement(run: Run, asked: number | null): number {
  if (asked !== null && run.statements[asked]) return asked
  if (!finished(run)) return 0
  const failed = run.statements.findIndex((s) => s.state === 'failed' || s.state === 'canceled')
  return Math.max(0, failed >= 0 ? failed : run.statements.findIndex((s) => s.result && s.result.columns.length > 0))
}

/** The statement that an address names, if it does. */
export function askedStatement(search: { statement?: string }): number | null {
  return search.statement && /^\d{1,4}$/.test(search.statement) ? Number(search.statement) : null
}

/** What an address says of the statement that was chosen. */
export function statementSearch(asked: number | null): { statement?: string } {
  return asked === null ? {} : { statement: String(asked) }
}

/** What the link of a run says of how it is looked at: it opens what is seen now. */
export function linkSearch(run: Run, view: View, kept: ChartSpec | null): string {
  const charted = view.kind === 'chart' || (view.kind === null && kept !== null)
  const out = new URLSearchParams({
    ...(run.statements.length > 1 ? statementSearch(shownStatement(run, view.statement)) : {}),
    ...(charted ? { chart: view.chart ?? (kept ? JSON.stringify(kept) : '') } : view.rows ? { rows: view.rows } : {}),
  }).toString()
  return out && '?' + out
}
