import type { ChartSpec, ChartType, Column } from '../api/types'
import { isNumeric } from '../grid/cell'

export function isTime(type: string): boolean {
  return /^(date|timestamp|timestamptz|time)/.test(type)
}

const looksLikeKey = (name: string) => /(^|_)id$/i.test(name)

/** A first chart from the columns' types: time across and numbers up, else bars by the first text, else one number. */
export function guess(columns: Column[], rowCount: number): ChartSpec {
  const time = columns.find((c) => isTime(c.type))
  const numbers = columns.filter((c) => isNumeric(c.type) && !looksLikeKey(c.name))
  const texts = columns.filter((c) => !isNumeric(c.type) && !isTime(c.type) && !/^json|bytea/.test(c.type))
  const y = numbers[0] ?? columns.find((c) => isNumeric(c.type))
  const base = { v: 1 as const, sort: 'x' as const, nulls: 'gap' as const, limit_series: 20 }
  if (rowCount === 1 && y) return { ...base, type: 'number', x: '', y: [{ col: y.name, agg: 'none' }] }
  const value = y ? [{ col: y.name, agg: 'sum' as const }] : [{ col: (texts[0] ?? columns[0])?.name ?? '', agg: 'count' as const }]
  if (time) {
    const series = texts[0]?.name
    return { ...base, type: 'line', x: time.name, y: value, ...(series ? { series } : {}) }
  }
  const x = texts[0] ?? columns.find((c) => c !== y) ?? columns[0]
  return { ...base, type: texts[0] ? 'bar' : numbers.length > 1 ? 'scatter' : 'bar', x: x?.name ?? '', y: value }
}

const types: ChartType[] = ['line', 'area', 'bar', 'hbar', 'scatter', 'pie', 'number']

/** A spec out of an address, or null: what comes from outside is looked at member by member. */
export function parseSpec(text: string | undefined, columns: Column[]): ChartSpec | null {
  if (!text) return null
  try {
    return fitSpec(JSON.parse(text), columns)
  } catch {
    return null
  }
}

/** A spec as it can be drawn from these columns, or null. */
export function fitSpec(from: unknown, columns: Column[]): ChartSpec | null {
  if (typeof from !== 'object' || from === null) return null
  const raw = from as Partial<ChartSpec>
  const has = (name: unknown) => columns.some((c) => c.name === name)
  const y = (Array.isArray(raw.y) ? raw.y : []).filter((v) => has(v?.col) && v.agg in { sum: 1, avg: 1, min: 1, max: 1, count: 1, none: 1 })
  if (!types.includes(raw.type as ChartType) || y.length === 0) return null
  if (raw.type !== 'number' && !has(raw.x)) return null
  const spec: ChartSpec = { v: 1, type: raw.type as ChartType, x: raw.type === 'number' ? '' : raw.x!, y, sort: 'x', nulls: raw.nulls === 'zero' ? 'zero' : 'gap', limit_series: 20 }
  if (raw.sort === 'y' || raw.sort === 'none') spec.sort = raw.sort
  if (has(raw.series)) spec.series = raw.series!
  if (typeof raw.stack === 'boolean') spec.stack = raw.stack
  if (raw.log) spec.log = true
  if (raw.format?.y && ['plain', 'compact', 'percent'].includes(raw.format.y)) spec.format = { y: raw.format.y }
  if (typeof raw.limit_series === 'number' && raw.limit_series >= 1 && raw.limit_series <= 20) spec.limit_series = raw.limit_series
  return spec
}
