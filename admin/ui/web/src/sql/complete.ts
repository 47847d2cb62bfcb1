import type { Completions } from '../api/types'
import { tokens, type Dialect } from './lexer'
import { scopeOf, type Source } from './scope'
import { split, statementAt } from './split'

export interface Option { label: string; apply: string; type: 'column' | 'table' | 'view' | 'schema' | 'alias' | 'cte' | 'function' | 'keyword'; detail?: string; boost: number }

export interface Found { from: number; options: Option[] }

const keywords = (
  'select from where group by order having limit offset join left right full inner cross on using as and or not in is null like ilike between exists case when then else end distinct union all except intersect with values ' +
  'insert into update set delete create table view asc desc nulls first last over partition rows preceding following interval cast true false explain analyze filter any'
).split(' ')
const reserved = new Set([
  'select', 'from', 'where', 'group', 'order', 'having', 'limit', 'offset', 'join', 'left', 'right', 'full', 'inner', 'cross', 'on', 'using', 'as', 'and', 'or', 'not', 'in', 'is', 'null', 'like', 'case', 'when', 'then', 'else',
  'end', 'distinct', 'union', 'all', 'except', 'intersect', 'with', 'table', 'create', 'asc', 'desc', 'cast', 'true', 'false', 'any', 'user', 'default', 'check', 'primary', 'references', 'to', 'do', 'for', 'grant', 'tag',
])

const known = new Set([...keywords, ...reserved])

export function isKeyword(word: string): boolean {
  return known.has(word.toLowerCase())
}

/** A name as it must be typed to be read back as itself. */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) && !reserved.has(name) ? name : '"' + name.replaceAll('"', '""') + '"'
}

interface Table { schema: string; name: string; kind: string; columns: [string, string][] }

function lookup(catalog: Completions, schema: string | null, name: string): Table | null {
  const inSchema = (s: string) => {
    const hit = catalog.schemas.find((x) => x.name === s)?.tables.find((x) => x.name === name)
    return hit ? { schema: s, ...hit } : null
  }
  if (schema !== null) return inSchema(schema)
  for (const s of catalog.search_path) {
    const hit = inSchema(s)
    if (hit) return hit
  }
  return null
}

function columnsOf(catalog: Completions, source: Source, ctes: Source[]): [string, string][] {
  if (source.columns) return source.columns.map((c) => [c, ''])
  if (!source.table) return []
  if (source.schema === null) {
    const cte = ctes.find((c) => c.alias === source.table)
    if (cte) return (cte.columns ?? []).map((c) => [c, ''])
  }
  return lookup(catalog, source.schema, source.table)?.columns ?? []
}

const kindOf = (kind: string) => (kind.includes('view') ? 'view' : 'table') as 'view' | 'table'

/** What may stand at pos, in the statement there. Null inside strings, comments and numbers, and where nothing was begun. */
export function complete(src: string, pos: number, catalog: Completions, dialect: Dialect, explicit: boolean): Found | null {
  const mode = { dialect, binds: true }
  const statements = split(src, mode)
  const here = statementAt(src, statements, pos)
  const all = tokens(src, mode)
  const under = all.find((k) => k.start < pos && pos <= k.end)
  if (under && ['string', 'estring', 'dollar', 'line-comment', 'block-comment', 'number', 'bind', 'param'].includes(under.kind) && (pos < under.end || under.kind !== 'block-comment')) {
    if (!(under.kind === 'string' && pos === under.end)) return null
  }
  if (under?.kind === 'bad' && src[under.start] === "'") return null
  const quotedName = under?.kind === 'quoted' || (under?.kind === 'bad' && src[under.start] === '"')
  const inWord = under?.kind === 'word' || quotedName
  const from = inWord ? under!.start : pos
  // Do not let the half typed word be read as an alias of what stands before it.
  const known = (here?.tokens ?? []).filter((k) => !(inWord && k.start === under!.start))
  const scope = scopeOf(src, known)
  const before = all.filter((k) => k.end <= from && k.kind !== 'space' && k.kind !== 'line-comment' && k.kind !== 'block-comment')

  const path: string[] = []
  let at = before.length - 1
  while (at >= 1 && before[at]!.kind === 'punct' && src[before[at]!.start] === '.' && (before[at - 1]!.kind === 'word' || before[at - 1]!.kind === 'quoted')) {
    const k = before[at - 1]!
    const text = src.slice(k.start, k.end)
    path.unshift(k.kind === 'word' ? text.toLowerCase() : text.slice(1, -1).replaceAll('""', '"'))
    at -= 2
  }
  if (path.length > 0) return { from, options: afterDot(path, catalog, scope.sources, scope.ctes) }
  if (!inWord && !explicit) return null

  const last = before[at]
  const word = last?.kind === 'word' ? src.slice(last.start, last.end).toLowerCase() : ''
  const wantsTable = ['from', 'join', 'into', 'update', 'table', 'only'].includes(word) || (last && src[last.start] === ',' && inFrom(src, before))
  const options: Option[] = []
  for (const c of scope.ctes) options.push({ label: c.alias, apply: quoteName(c.alias), type: 'cte', boost: wantsTable ? 5 : 1 })
  if (!wantsTable) {
    for (const s of scope.sources) {
      options.push({ label: s.alias, apply: quoteName(s.alias), type: 'alias', ...(s.table ? { detail: s.table } : {}), boost: 3 })
      for (const [name, type] of columnsOf(catalog, s, scope.ctes)) options.push({ label: name, apply: quoteName(name), type: 'column', detail: type || s.alias, boost: 4 })
    }
    for (const f of catalog.functions) options.push({ label: f, apply: f, type: 'function', boost: -1 })
  }
  for (const s of catalog.schemas) {
    const near = catalog.search_path.includes(s.name)
    options.push({ label: s.name, apply: quoteName(s.name), type: 'schema', boost: wantsTable ? 1 : -3 })
    if (!near && !inWord) continue
    for (const x of s.tables) {
      options.push({ label: x.name, apply: near ? quoteName(x.name) : `${quoteName(s.name)}.${quoteName(x.name)}`, type: kindOf(x.kind), detail: s.name, boost: wantsTable ? (near ? 4 : 2) : -2 })
    }
  }
  if (!quotedName) for (const k of keywords) options.push({ label: k, apply: k, type: 'keyword', boost: wantsTable ? -5 : 0 })
  return { from, options: unique(options) }
}

function afterDot(path: string[], catalog: Completions, sources: Source[], ctes: Source[]): Option[] {
  const name = path.at(-1)!
  // The table's own order, which means more to its readers than the alphabet.
  const column = ([c, type]: [string, string], i: number): Option => ({ label: c, apply: quoteName(c), type: 'column', ...(type ? { detail: type } : {}), boost: 20 - Math.min(i, 900) / 50 })
  if (path.length === 1) {
    const source = sources.find((s) => s.alias === name)
    if (source) return columnsOf(catalog, source, ctes).map(column)
    const schema = catalog.schemas.find((s) => s.name === name)
    if (schema) return schema.tables.map((x) => ({ label: x.name, apply: quoteName(x.name), type: kindOf(x.kind), boost: 4 }))
  }
  const table = lookup(catalog, path.length > 1 ? path.at(-2)! : null, name)
  return (table?.columns ?? []).map(column)
}

/** Whether the last clause word is FROM: then a comma leads to another table. */
function inFrom(src: string, before: { kind: string; start: number; end: number }[]): boolean {
  let depth = 0
  for (let i = before.length - 1; i >= 0; i--) {
    const k = before[i]!
    const c = src[k.start]
    if (k.kind === 'punct' && c === ')') depth++
    else if (k.kind === 'punct' && c === '(') {
      if (depth === 0) return false
      depth--
    } else if (depth === 0 && k.kind === 'word') {
      const w = src.slice(k.start, k.end).toLowerCase()
      if (w === 'from') return true
      if (['select', 'where', 'on', 'by', 'set', 'having', 'values', 'using', 'join'].includes(w)) return false
    }
  }
  return false
}

function unique(options: Option[]): Option[] {
  const seen = new Set<string>()
  return options.filter((o) => {
    const key = `${o.type} ${o.apply}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
