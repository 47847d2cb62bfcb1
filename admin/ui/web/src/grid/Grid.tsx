import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp, ListFilter } from 'lucide-react'
import { memo, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore, type KeyboardEvent, type PointerEvent } from 'react'
import type { Cell, Column, Filter } from '../api/types'
import { count } from '../format'
import { cx, Failure, isMod, Popover } from '../parts'
import { t } from '../strings'
import { CellText, isNumeric, widthFor } from './cell'
import { FilterForm } from './FilterForm'
import type { Pages } from './pages'
import { clampOffset, offsetOf, reveal, rowHeight, rowsIn, scaledFrom, scrollHeight, scrollTopOf } from './scale'
import { boxOf, move, type Box, type Place, type Selection } from './selection'

const headHeight = 34
const overscan = 5

export interface Sort { col: number; dir: 'asc' | 'desc' }

interface GridProps {
  columns: Column[]
  pages: Pages
  rows: number
  sort: Sort | null
  filters: Filter[]
  onSort: (col: number) => void
  onFilter: (col: number, filter: Filter | null) => void
  selection: Selection | null
  onSelect: (s: Selection | null) => void
  onCopy: () => void
  onOpenCell: (place: Place) => void
}

/** The saved rows, drawn as far as they are in sight. */
export function Grid({ columns, pages, rows, sort, filters, onSort, onFilter, selection, onSelect, onCopy, onOpenCell }: GridProps) {
  const id = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [viewport, setViewport] = useState({ width: 0, height: 0 })
  const [offset, setOffset] = useState(0)
  const offsetRef = useRef(0)
  const frame = useRef(0)
  const own = useRef<number | null>(null) // the scroll position set by us, not by the reader
  const version = useSyncExternalStore(pages.subscribe, () => pages.version)
  const [widths, setWidths] = useState<Record<number, number>>({})
  const [filtering, setFiltering] = useState<number | null>(null)
  const bodyHeight = Math.max(0, viewport.height - headHeight)
  const numberWidth = Math.max(44, String(rows).length * 8.2 + 22)
  const scaled = rows > scaledFrom

  // The first widths come from the first rows, once.
  const guessed = useRef<{ pages: Columns; widths: number[] } | null>(null)
  const loaded = pages.row(0) !== undefined
  const initial = useMemo(() => {
    if (guessed.current?.pages === columns && loaded && guessed.current.widths.length) return guessed.current.widths
    const sample = Array.from({ length: 40 }, (_, i) => pages.row(i))
    const next = columns.map((c, i) => widthFor(c, sample, i))
    if (loaded) guessed.current = { pages: columns, widths: next }
    return next
  }, [columns, loaded, pages])
  const widthOf = useCallback((i: number) => widths[i] ?? initial[i] ?? 120, [widths, initial])

  const across = useVirtualizer({
    horizontal: true, count: columns.length, getScrollElement: () => scroller.current, estimateSize: widthOf, overscan: 2, paddingStart: numberWidth, scrollPaddingStart: numberWidth,
  })
  useEffect(() => { across.measure() }, [across, widthOf])
  const cols = across.getVirtualItems()
  const total = Math.max(across.getTotalSize(), viewport.width)

  const [first, last] = rowsIn(offset, bodyHeight, rows, overscan)
  useEffect(() => { pages.want(first, last) }, [pages, first, last])

  useEffect(() => () => cancelAnimationFrame(frame.current), [])

  const go = useCallback((next: number, fromScroll: boolean) => {
    const to = clampOffset(next, rows, bodyHeight)
    offsetRef.current = to
    if (!fromScroll && scroller.current) {
      const top = Math.round(scrollTopOf(to, rows, bodyHeight))
      if (Math.round(scroller.current.scrollTop) !== top) {
        own.current = top
        scroller.current.scrollTop = top
      }
    }
    cancelAnimationFrame(frame.current)
    frame.current = requestAnimationFrame(() => setOffset(to))
  }, [rows, bodyHeight])

  useLayoutEffect(() => {
    const el = scroller.current
    if (!el) return
    const look = () => setViewport({ width: el.clientWidth, height: el.clientHeight })
    look()
    const observer = new ResizeObserver(look)
    observer.observe(el)
    const wheel = (e: WheelEvent) => {
      if (!scaled || e.ctrlKey || e.deltaY === 0 || e.shiftKey) return
      e.preventDefault()
      const unit = e.deltaMode === 1 ? rowHeight : e.deltaMode === 2 ? el.clientHeight : 1
      if (e.deltaX) el.scrollLeft += e.deltaX
      go(offsetRef.current + e.deltaY * unit, false)
    }
    el.addEventListener('wheel', wheel, { passive: false })
    return () => { observer.disconnect(); el.removeEventListener('wheel', wheel) }
  }, [scaled, go])

  const onScroll = () => {
    const el = scroller.current
    if (!el) return
    if (own.current !== null && Math.abs(el.scrollTop - own.current) <= 1) {
      own.current = null
      return
    }
    own.current = null
    const next = offsetOf(el.scrollTop, rows, bodyHeight)
    if (Math.abs(next - offsetRef.current) >= 1) go(next, true)
  }

  const show = useCallback((p: Place) => {
    if (p.row >= 0) go(reveal(p.row, offsetRef.current, bodyHeight), false)
    const el = scroller.current
    if (!el) return
    const start = across.measurementsCache[p.col]?.start ?? 0
    const end = start + widthOf(p.col)
    if (start - numberWidth < el.scrollLeft) el.scrollLeft = start - numberWidth
    else if (end > el.scrollLeft + el.clientWidth) el.scrollLeft = end - el.clientWidth
  }, [go, bodyHeight, across, widthOf, numberWidth])

  // A selection that comes from outside (an address, a search) is brought into sight.
  const seen = useRef<Selection | null>(null)
  useEffect(() => {
    if (!selection || seen.current === selection || bodyHeight === 0) return
    seen.current = selection
    show(selection.focus)
    show(selection.anchor)
  }, [selection, show, bodyHeight])

  const focus = selection?.focus ?? null
  const box = selection ? boxOf(selection) : null

  const pick = (s: Selection) => {
    seen.current = s
    onSelect(s)
    show(s.focus)
  }

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget) return
    if (isMod(e) && e.key.toLowerCase() === 'c') {
      if (!window.getSelection()?.toString()) { e.preventDefault(); onCopy() }
      return
    }
    if (isMod(e) && e.key.toLowerCase() === 'a' && rows > 0) {
      e.preventDefault()
      const s = { anchor: { row: 0, col: 0 }, focus: { row: rows - 1, col: columns.length - 1 } }
      seen.current = s
      onSelect(s)
      return
    }
    const from = focus ?? { row: 0, col: 0 }
    if (from.row === -1 && e.altKey && (e.key === 'ArrowLeft' || e.key === 'ArrowRight')) {
      e.preventDefault()
      setWidths((w) => ({ ...w, [from.col]: Math.max(48, widthOf(from.col) + (e.key === 'ArrowRight' ? 16 : -16)) }))
      return
    }
    if (from.row === -1 && e.altKey && e.key === 'ArrowDown') {
      e.preventDefault()
      setFiltering(from.col)
      return
    }
    if (e.key === 'Enter' || e.key === ' ') {
      if (!focus) return
      e.preventDefault()
      if (from.row === -1) onSort(from.col)
      else onOpenCell(from)
      return
    }
    if (e.key === 'Escape' && selection) { onSelect(null); return }
    const next = move(from, { key: e.key, shiftKey: e.shiftKey, jump: isMod(e) }, { rows, cols: columns.length, page: Math.max(1, Math.floor(bodyHeight / rowHeight) - 1) })
    if (!next) return
    e.preventDefault()
    pick({ anchor: e.shiftKey && selection ? selection.anchor : next, focus: next })
  }

  const dragging = useRef<Selection | null>(null)
  const placeOf = (target: EventTarget | null): Place | null => {
    const el = target instanceof Element ? target.closest<HTMLElement>('[data-c]') : null
    const row = el?.parentElement?.dataset.r
    return el && row !== undefined ? { row: Number(row), col: Number(el.dataset.c) } : null
  }
  const onPointerDown = (e: PointerEvent) => {
    if (e.button !== 0 || (e.target as Element).closest('a,button')) return
    const wholeRow = (e.target as Element).closest<HTMLElement>('.gn')
    if (wholeRow?.parentElement?.dataset.r !== undefined) {
      const row = Number(wholeRow.parentElement.dataset.r)
      const anchor = e.shiftKey && selection ? { row: selection.anchor.row, col: 0 } : { row, col: 0 }
      pick({ anchor, focus: { row, col: columns.length - 1 } })
      return
    }
    const at = placeOf(e.target)
    if (!at) return
    const s = { anchor: e.shiftKey && selection ? selection.anchor : at, focus: at }
    dragging.current = s
    seen.current = s
    onSelect(s)
    scroller.current?.focus({ preventScroll: true })
    if (e.pointerType === 'mouse') e.preventDefault()
  }
  const onPointerMove = (e: PointerEvent) => {
    if (!dragging.current || e.buttons === 0) { dragging.current = null; return }
    const at = placeOf(document.elementFromPoint(e.clientX, e.clientY))
    if (!at || (at.row === dragging.current.focus.row && at.col === dragging.current.focus.col)) return
    const s = { anchor: dragging.current.anchor, focus: at }
    dragging.current = s
    pick(s)
  }

  const firstCol = cols[0]?.index ?? 0
  const lastCol = cols.at(-1)?.index ?? -1
  const spots = cols.map((c) => `${c.start},${c.size}`).join(' ')
  const anchorRow = Math.floor(first / 200) * 200
  // The header is drawn anew when it changes, not with each step of a scroll.
  const headFocus = focus?.row === -1 ? focus.col : -1
  const head = useMemo(() => {
    const places = spots === '' ? [] : spots.split(' ').map((x, i) => {
      const [start, size] = x.split(',').map(Number)
      return { index: firstCol + i, start: start ?? 0, size: size ?? 0 }
    })
    return (
      <div className="grid-head" role="rowgroup">
        <div className="gr head" role="row" aria-rowindex={1} style={{ width: total, height: headHeight }}>
          <span className="gn" style={{ width: numberWidth }} aria-hidden="true" />
          {places.map((c) => (
            <Head
              key={c.index} id={`${id}-1-${c.index}`} index={c.index} start={c.start} size={c.size} column={columns[c.index]!} sort={sort?.col === c.index ? sort.dir : null}
              filter={filters.find((f) => f.col === 'c' + c.index) ?? null} focused={headFocus === c.index} open={filtering === c.index}
              onOpen={(open) => setFiltering(open ? c.index : null)} onSort={() => onSort(c.index)} onFilter={(f) => onFilter(c.index, f)} onWidth={(w) => setWidths((old) => ({ ...old, [c.index]: w }))}
            />
          ))}
        </div>
      </div>
    )
  }, [spots, firstCol, total, numberWidth, columns, sort, filters, headFocus, filtering, onSort, onFilter, id])
  const inSight = (p: Place) => p.col >= firstCol && p.col <= lastCol && (p.row === -1 || (p.row >= first && p.row < last))
  const drawn: number[] = []
  for (let i = first; i < last; i++) drawn.push(i)
  void version

  return (
    <>
    <div
      ref={scroller} className="grid" role="grid" tabIndex={0} aria-label={t.grid.label(count(rows))}
      aria-rowcount={rows + 1} aria-colcount={columns.length} aria-multiselectable="true"
      aria-activedescendant={focus && inSight(focus) ? `${id}${focus.row}-${focus.col}` : undefined}
      onScroll={onScroll} onKeyDown={onKeyDown} onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={() => { dragging.current = null }}
      onDoubleClick={(e) => { const p = placeOf(e.target); if (p) onOpenCell(p) }}
      onFocus={(e) => { if (e.target === e.currentTarget && !selection && rows > 0 && e.currentTarget.matches(':focus-visible')) pick({ anchor: { row: 0, col: 0 }, focus: { row: 0, col: 0 } }) }}
    >
      <div className="grid-space" style={{ width: total, height: headHeight + scrollHeight(rows) }} role="presentation">
        {head}
        <div className="grid-body" role="rowgroup" style={{ top: headHeight }}>
          <div role="presentation" style={{ transform: `translateY(${anchorRow * rowHeight - offset}px)` }}>
            {drawn.map((i) => (
              <Row
                key={i} id={id} index={i} top={(i - anchorRow) * rowHeight} cells={pages.row(i)} columns={columns} first={firstCol} last={lastCol} spots={spots}
                total={total} numberWidth={numberWidth} {...inBox(box, i)} focus={focus?.row === i ? focus.col : -1}
              />
            ))}
          </div>
        </div>
      </div>
    </div>
    {pages.error && <div className="grid-error"><Failure error={pages.error} onRetry={() => pages.retry()} /></div>}
    </>
  )
}

type Columns = Column[]

function inBox(box: Box | null, row: number): { from: number; to: number } {
  return box && row >= box.top && row <= box.bottom ? { from: box.left, to: box.right } : { from: -1, to: -2 }
}

interface RowProps {
  id: string; index: number; top: number; cells: Cell[] | undefined; columns: Column[]; first: number; last: number; spots: string
  total: number; numberWidth: number; from: number; to: number; focus: number
}

const Row = memo(function Row({ id, index, top, cells, columns, first, last, spots, total, numberWidth, from, to, focus }: RowProps) {
  const places = spots.split(' ')
  const out = []
  for (let c = first; c <= last; c++) {
    const [start, size] = (places[c - first] ?? '0,0').split(',')
    const value = cells?.[c]
    const selected = c >= from && c <= to
    out.push(
      <div
        key={c} id={focus === c ? `${id}${index}-${c}` : undefined} role="gridcell" data-c={c} aria-colindex={c + 1} aria-selected={selected}
        className={cx('gc', isNumeric(columns[c]!.type) && 'num', selected && 'sel', focus === c && 'focus')} style={{ left: Number(start), width: Number(size) }}
      >
        {cells ? <CellText value={value ?? null} /> : <i className="wait" aria-label={t.grid.loading} role="img" />}
      </div>,
    )
  }
  return (
    <div className={cx('gr', index % 2 === 1 && 'odd')} role="row" aria-rowindex={index + 2} data-r={index} style={{ top, width: total, height: rowHeight }}>
      <span className={cx('gn', from >= 0 && 'sel')} style={{ width: numberWidth }} role="rowheader" aria-label={`${t.grid.rowNumber} ${index + 1}`}>{count(index + 1)}</span>
      {out}
    </div>
  )
})

interface HeadProps {
  id: string; index: number; start: number; size: number; column: Column; sort: 'asc' | 'desc' | null; filter: Filter | null; focused: boolean; open: boolean
  onOpen: (open: boolean) => void; onSort: () => void; onFilter: (f: Filter | null) => void; onWidth: (w: number) => void
}

function Head({ id, index, start, size, column, sort, filter, focused, open, onOpen, onSort, onFilter, onWidth }: HeadProps) {
  const drag = useRef<{ x: number; width: number } | null>(null)
  const name = column.name || '?'
  return (
    <div
      id={id} role="columnheader" aria-colindex={index + 1} aria-sort={sort === 'asc' ? 'ascending' : sort === 'desc' ? 'descending' : 'none'}
      className={cx('gh', focused && 'focus', isNumeric(column.type) && 'num')} style={{ left: start, width: size }}
    >
      <button type="button" tabIndex={-1} className="gh-name" onClick={onSort} title={`${name} · ${column.type}`}>
        <span className="hidden">{t.grid.sortBy} </span>
        <span className="gh-text">{name}</span> <span className="gh-type">{column.type}</span>
        {sort && <span className="hidden">{sort === 'asc' ? t.grid.sortedAsc : t.grid.sortedDesc}</span>}
        {sort === 'asc' && <ArrowUp size={13} aria-hidden="true" />}
        {sort === 'desc' && <ArrowDown size={13} aria-hidden="true" />}
      </button>
      <Popover
        label={t.grid.filterTitle(name)} open={open} onOpen={onOpen}
        trigger={<button type="button" tabIndex={-1} className={cx('gh-filter', filter && 'on')} aria-label={t.grid.filter(name)}><ListFilter size={13} aria-hidden="true" /></button>}
      >
        <FilterForm title={t.grid.filterTitle(name)} filter={filter} col={'c' + index} onDone={(f) => { onFilter(f); onOpen(false) }} />
      </Popover>
      <span
        className="gh-edge" role="separator" aria-orientation="vertical" aria-label={t.grid.resize(name)} aria-valuenow={Math.round(size)}
        onPointerDown={(e) => { e.stopPropagation(); drag.current = { x: e.clientX, width: size }; e.currentTarget.setPointerCapture(e.pointerId) }}
        onPointerMove={(e) => { if (drag.current) onWidth(Math.max(48, drag.current.width + e.clientX - drag.current.x)) }}
        onPointerUp={() => { drag.current = null }}
      />
    </div>
  )
}
