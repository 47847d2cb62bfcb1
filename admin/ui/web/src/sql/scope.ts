import type { Token } from './lexer'

// What the names in one statement stand for. This is no parser: it reads FROM and
// JOIN lists and WITH heads off the tokens, which is right for the SQL people type
// and harmless where it is wrong (completion then offers less).

export interface Source {
  /** The name the statement knows it by. */
  alias: string
  schema: string | null
  table: string | null
  /** Columns of a CTE or subquery, when its SELECT list says them. */
  columns: string[] | null
}

export interface Scope { sources: Source[]; ctes: Source[] }

const stops = new Set([
  'where', 'group', 'order', 'having', 'limit', 'offset', 'union', 'intersect', 'except', 'on', 'using', 'join', 'inner', 'left', 'right', 'full', 'cross', 'natural',
  'window', 'fetch', 'for', 'set', 'values', 'returning', 'select', 'from', 'tablesample', 'lateral', 'when', 'qualify',
])

interface Word { text: string; plain: boolean; token: Token }

/** A name as the server folds it: plain ones to lower case. */
export function fold(src: string, token: Token): string | null {
  const text = src.slice(token.start, token.end)
  if (token.kind === 'word') return text.toLowerCase()
  if (token.kind === 'quoted') return text.slice(1, -1).replaceAll('""', '"')
  return null
}

export function scopeOf(src: string, tokens: Token[]): Scope {
  const scope: Scope = { sources: [], ctes: [] }
  const words: (Word | null)[] = tokens.map((token) => {
    const text = fold(src, token)
    return text === null ? null : { text, plain: token.kind === 'word', token }
  })
  const punct = (i: number, c: string) => tokens[i]?.kind === 'punct' && src[tokens[i].start] === c && tokens[i].end - tokens[i].start === 1
  const keyword = (i: number, ...names: string[]) => words[i]?.plain === true && names.includes(words[i].text)
  const closing = (i: number) => {
    let depth = 0
    for (; i < tokens.length; i++) {
      if (punct(i, '(')) depth++
      else if (punct(i, ')') && --depth === 0) return i
    }
    return tokens.length
  }

  // name [(a, b)] AS [NOT MATERIALIZED] ( … )
  const readCtes = (i: number) => {
    if (keyword(i, 'recursive')) i++
    while (words[i]) {
      const name = words[i]!.text
      let columns: string[] | null = null
      i++
      if (punct(i, '(')) {
        const end = closing(i)
        columns = words.slice(i + 1, end).flatMap((w) => (w ? [w.text] : []))
        i = end + 1
      }
      if (!keyword(i, 'as')) return
      i++
      while (keyword(i, 'not', 'materialized')) i++
      if (!punct(i, '(')) return
      const end = closing(i)
      scope.ctes.push({ alias: name, schema: null, table: null, columns: columns ?? outputs(i + 1, end) })
      i = end + 1
      if (!punct(i, ',')) return
      i++
    }
  }

  /** The column names of the SELECT that stands between two tokens, or null when a star hides them. */
  const outputs = (from: number, to: number): string[] | null => {
    if (!keyword(from, 'select')) return null
    const out: string[] = []
    let depth = 0
    let lastName: string | null = null
    let star = false
    let i = from + 1
    if (keyword(i, 'distinct', 'all')) i++
    for (; i <= to; i++) {
      const end = i === to || (depth === 0 && (keyword(i, 'from', 'where', 'union', 'limit', 'order', 'group') || punct(i, ',')))
      if (end) {
        if (star) return null
        if (lastName) out.push(lastName)
        lastName = null
        if (!punct(i, ',')) break
        continue
      }
      if (punct(i, '(')) depth++
      else if (punct(i, ')')) depth--
      else if (depth === 0 && tokens[i]?.kind === 'operator' && src[tokens[i]!.start] === '*' && (punct(i - 1, ',') || punct(i - 1, '.') || i === from + 1)) star = true
      else if (depth === 0 && words[i]) lastName = words[i]!.text
    }
    return out
  }

  const readSource = (i: number): number => {
    while (keyword(i, 'only', 'lateral')) i++
    const source: Source = { alias: '', schema: null, table: null, columns: null }
    if (punct(i, '(')) {
      const end = closing(i)
      source.columns = outputs(i + 1, end)
      i = end + 1
    } else {
      if (!words[i] || (words[i]!.plain && stops.has(words[i]!.text))) return i
      const parts = [words[i]!.text]
      i++
      while (punct(i, '.') && words[i + 1]) {
        parts.push(words[i + 1]!.text)
        i += 2
      }
      if (punct(i, '.')) return i
      source.table = parts.at(-1)!
      source.schema = parts.at(-2) ?? null
      source.alias = source.table
      if (punct(i, '(')) {
        source.table = null
        i = closing(i) + 1
      }
    }
    if (keyword(i, 'as')) i++
    if (words[i] && !(words[i]!.plain && stops.has(words[i]!.text))) {
      source.alias = words[i]!.text
      i++
    }
    if (source.alias) scope.sources.push(source)
    return i
  }

  for (let i = 0; i < tokens.length; i++) {
    if (keyword(i, 'with') && (i === 0 || punct(i - 1, '(') || keyword(i - 1, 'as'))) readCtes(i + 1)
    if (keyword(i, 'from', 'join', 'update', 'into')) {
      // extract(x from y), for update of …
      if (keyword(i, 'update') && i > 0 && keyword(i - 1, 'for')) continue
      let next = readSource(i + 1)
      while (keyword(i, 'from') && punct(next, ',')) next = readSource(next + 1)
    }
  }
  return scope
}
