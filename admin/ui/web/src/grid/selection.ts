/** A place in the grid; row -1 is the header. */
export interface Place { row: number; col: number }

export interface Selection { anchor: Place; focus: Place }

export interface Box { top: number; bottom: number; left: number; right: number }

/** The cells of a selection, both ends included. */
export function boxOf(s: Selection): Box {
  return {
    top: Math.max(0, Math.min(s.anchor.row, s.focus.row)),
    bottom: Math.max(s.anchor.row, s.focus.row),
    left: Math.min(s.anchor.col, s.focus.col),
    right: Math.max(s.anchor.col, s.focus.col),
  }
}

export interface Size { rows: number; cols: number; page: number }

interface Press { key: string; shiftKey: boolean; jump: boolean }

/** Where a key leads, or null when the key does not move. */
export function move(from: Place, press: Press, size: Size): Place | null {
  const { row, col } = from
  const lastRow = size.rows - 1
  const lastCol = size.cols - 1
  // A selection does not reach into the header.
  const top = press.shiftKey ? 0 : -1
  const at = (r: number, c: number): Place => ({ row: Math.max(Math.min(top, row), Math.min(r, lastRow)), col: Math.max(0, Math.min(c, lastCol)) })
  switch (press.key) {
    case 'ArrowUp': return press.jump ? at(0, col) : at(row - 1, col)
    case 'ArrowDown': return press.jump ? at(lastRow, col) : at(row + 1, col)
    case 'ArrowLeft': return press.jump ? at(row, 0) : at(row, col - 1)
    case 'ArrowRight': return press.jump ? at(row, lastCol) : at(row, col + 1)
    case 'PageUp': return at(Math.max(0, row - size.page), col)
    case 'PageDown': return at(row + size.page, col)
    case 'Home': return press.jump ? at(0, 0) : at(row, 0)
    case 'End': return press.jump ? at(lastRow, lastCol) : at(row, lastCol)
    default: return null
  }
}

/** ?rows=120-130, counted from one. */
export function parseRows(text: string | undefined, rows: number): [number, number] | null {
  const m = /^(\d+)(?:-(\d+))?$/.exec(text ?? '')
  if (!m) return null
  const a = Number(m[1])
  const b = Number(m[2] ?? m[1])
  const first = Math.min(a, b) - 1
  const last = Math.min(Math.max(a, b), rows) - 1
  return first >= 0 && first <= last ? [first, last] : null
}
