import type { Cell, Column } from '../api/types'

export type CopyFormat = 'tsv' | 'csv' | 'json' | 'markdown'

// A spreadsheet takes a quoted field with tabs and line ends as one cell.
function quoteIf(needs: RegExp, text: string): string {
  return needs.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text
}

/** The cells as text, with a header. NULL is an empty field, and null in JSON; empty text is "" in CSV. */
export function render(format: CopyFormat, columns: Column[], rows: Cell[][]): string {
  const names = columns.map((c) => c.name)
  switch (format) {
    case 'tsv': {
      const field = (c: Cell) => (c === null ? '' : quoteIf(/["\t\n\r]/, c))
      return [names, ...rows].map((r) => r.map(field).join('\t')).join('\n')
    }
    case 'csv': {
      const field = (c: Cell) => (c === null ? '' : c === '' ? '""' : quoteIf(/[",\n\r]/, c))
      return [names, ...rows].map((r) => r.map(field).join(',')).join('\n')
    }
    case 'json':
      return jsonOf(names, rows)
    case 'markdown': {
      const field = (c: Cell) => (c === null ? '*NULL*' : c.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll(/\r?\n/g, '<br>'))
      const line = (cells: string[]) => `| ${cells.join(' | ')} |`
      return [line(names.map(field)), line(names.map(() => '---')), ...rows.map((r) => line(r.map(field)))].join('\n')
    }
  }
}

/** Objects when all names differ, else arrays: no value is lost to a twin name. */
function jsonOf(names: string[], rows: Cell[][]): string {
  const value = (_: number, c: Cell) => c
  if (new Set(names).size < names.length) {
    return JSON.stringify({ columns: names, rows }, null, 2)
  }
  return JSON.stringify(rows.map((r) => Object.fromEntries(names.map((n, i) => [n, value(i, r[i] ?? null)]))), null, 2)
}
