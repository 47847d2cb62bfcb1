import type { Completions } from '../api/types'
import { quoteName } from './complete'

/** Statements to begin with, the likeliest first: tables that need no prefix, then those of the fullest schema. */
export function samples(catalog: Completions | undefined, most = 8): string[] {
  if (!catalog) return []
  const near = (name: string) => { const i = catalog.search_path.indexOf(name); return i < 0 ? Infinity : i }
  const schemas = catalog.schemas.toSorted((a, b) => (near(a.name) === near(b.name) ? b.tables.length - a.tables.length : near(a.name) - near(b.name)))
  return schemas.flatMap((s) => s.tables.map((x) => `select *\nfrom ${quoteName(s.name)}.${quoteName(x.name)}\nlimit 100`)).slice(0, most)
}
