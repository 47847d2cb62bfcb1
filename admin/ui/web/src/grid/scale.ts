// Browsers give up on elements higher than some ten million pixels. Up to
// scaledFrom rows a pixel of the scroll bar is a pixel of rows; above, the bar is
// squeezed and the wheel still moves row by row.

export const rowHeight = 28
export const scaledFrom = 500_000
const maxHeight = scaledFrom * rowHeight

/** The height of the thing that scrolls, for all rows. */
export function scrollHeight(rows: number): number {
  return Math.min(rows * rowHeight, maxHeight)
}

/** How many pixels of rows one pixel of the scroll bar stands for; 1 when it is not squeezed. */
export function scaleOf(rows: number, viewport: number): number {
  const height = scrollHeight(rows)
  const full = rows * rowHeight
  if (full <= maxHeight || height <= viewport) return 1
  return (full - viewport) / (height - viewport)
}

/** Where the first visible pixel of rows lies, for a position of the scroll bar. */
export function offsetOf(scrollTop: number, rows: number, viewport: number): number {
  return clampOffset(scrollTop * scaleOf(rows, viewport), rows, viewport)
}

/** The position of the scroll bar for an offset. */
export function scrollTopOf(offset: number, rows: number, viewport: number): number {
  return offset / scaleOf(rows, viewport)
}

export function clampOffset(offset: number, rows: number, viewport: number): number {
  return Math.max(0, Math.min(offset, rows * rowHeight - viewport))
}

/** The rows to draw: first to last, last not included. */
export function rowsIn(offset: number, viewport: number, rows: number, overscan: number): [number, number] {
  const first = Math.max(0, Math.floor(offset / rowHeight) - overscan)
  const last = Math.min(rows, Math.ceil((offset + viewport) / rowHeight) + overscan)
  return [first, Math.max(first, last)]
}

/** The offset that brings a row into view, moved as little as possible. */
export function reveal(row: number, offset: number, viewport: number): number {
  const top = row * rowHeight
  if (top < offset) return top
  if (top + rowHeight > offset + viewport) return top + rowHeight - viewport
  return offset
}
