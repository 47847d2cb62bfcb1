import type { Aggregate, Cell, ChartSpec } from '../api/types'

export interface Series { name: string; points: (number | null)[] }

export interface Plot {
  /** The values across, as text. */
  across: string[]
  series: Series[]
}

const number = (c: Cell | undefined): number | null => {
  if (c === null || c === undefined || c === '') return null
  const n = Number(c)
  return Number.isFinite(n) ? n : null
}

/** The word for a NULL on an axis; the same glyph as in the grid. */
export const nullLabel = 'NULL'

/**
 * From the answer's columns (across, then the split if there is one, then the values)
 * to one row of points per series. A gap stays a gap: NULL is not zero.
 */
export function plotOf(spec: ChartSpec, answer: Aggregate): Plot {
  const ys = spec.y.length
  const split = spec.series ? 1 : 0
  const lead = spec.type === 'number' || !spec.x ? 0 : 1
  const firstY = Math.max(lead + split, answer.columns.length - ys)
  const across: string[] = []
  const at = new Map<string, number>()
  const series = new Map<string, Series>()
  for (const row of answer.rows) {
    const x = lead ? (row[0] ?? nullLabel) : ''
    if (!at.has(x)) {
      at.set(x, across.length)
      across.push(x)
    }
    for (let k = 0; k < ys; k++) {
      const part = split ? (row[lead] ?? nullLabel) : ''
      const own = answer.columns[firstY + k]?.name ?? spec.y[k]!.col
      const name = split ? (ys > 1 ? `${part} · ${own}` : part) : own
      let s = series.get(name)
      if (!s) series.set(name, (s = { name, points: [] }))
      s.points[at.get(x)!] = number(row[firstY + k])
    }
  }
  const missing = spec.nulls === 'zero' ? 0 : null
  for (const s of series.values()) {
    for (let i = 0; i < across.length; i++) s.points[i] = s.points[i] ?? missing
  }
  return { across, series: [...series.values()] }
}

const compactFormat = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })
const plainFormat = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 })

export function axisNumber(n: number): string {
  return Math.abs(n) >= 10_000 ? compactFormat.format(n) : plainFormat.format(n)
}

export function fullNumber(n: number | null): string {
  return n === null ? '–' : plainFormat.format(n).replaceAll(',', '\u202f')
}
