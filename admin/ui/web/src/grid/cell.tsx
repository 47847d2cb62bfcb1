import type { Cell, Column } from '../api/types'
import { t } from '../strings'

const numeric = /^(int[248]|numeric|float[48]|money|oid|bigint|integer|smallint|real|double precision|decimal)/

export function isNumeric(type: string): boolean {
  return numeric.test(type) && !type.endsWith('[]')
}

const url = /^https?:\/\/[^\s<>"']+$/i
const longest = 300

/** What a cell shows: its text as it is, never read as a number, never as HTML. */
export function CellText({ value }: { value: Cell }) {
  if (value === null) return <i className="null">{t.grid.null}</i>
  if (value === '') return <i className="blank" role="img" aria-label={t.grid.emptyText}>∅</i>
  if (value.length < 2000 && url.test(value)) {
    return <a href={value} target="_blank" rel="noopener noreferrer" tabIndex={-1}>{value}</a>
  }
  const shown = value.length > longest ? value.slice(0, longest) + '…' : value
  return shown.includes('\n') ? shown.replaceAll(/\r?\n/g, ' ⏎ ') : shown
}

/** A first width from the name, the type and some rows. */
export function widthFor(column: Column, sample: (Cell[] | undefined)[], index: number): number {
  const head = column.name.length * 7.4 + Math.min(column.type.length, 12) * 6.6 + 60
  let chars = 4
  for (const row of sample) chars = Math.max(chars, Math.min((row?.[index] ?? 'NULL').length + 1, 44))
  return Math.max(72, Math.min(Math.round(Math.max(head, chars * 7.3 + 18)), 360))
}
