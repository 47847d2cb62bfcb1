import type { Query } from '../api/types'

/** Whether one comes for a chart: then the text can wait for its editor. Undefined: not known yet. */
export function comesForChart(search: { run?: string; view?: string }, query: Pick<Query, 'chart' | 'working'> | null | undefined): boolean | undefined {
  if (!search.run || search.view === 'table') return false
  if (search.view === 'chart') return true
  return query === undefined ? undefined : Boolean((query?.working ?? query)?.chart)
}
