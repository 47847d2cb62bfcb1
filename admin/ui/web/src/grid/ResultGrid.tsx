import { Copy, Link2, X } from 'lucide-react'
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { get, query } from '../api/client'
import type { Cell, Column, Filter, RowsPage } from '../api/types'
import { pageUrl, short } from '../base'
import { count } from '../format'
import { Button, copyText, CopyButton, Empty, Menu, Modal } from '../parts'
import { toast } from '../parts/toast'
import { t } from '../strings'
import { render, type CopyFormat } from './copy'
import { Grid, type Sort } from './Grid'
import { Pages } from './pages'
import { boxOf, parseRows, type Place, type Selection } from './selection'

const mostCopied = 10_000

interface Props { runId: string; statement: number; columns: Column[]; rowCount: number; rows?: string | undefined }

/** The grid with what belongs to it: order, filter, copying, one cell in full. */
export function ResultGrid({ runId, statement, columns, rowCount, rows: wanted }: Props) {
  const [sort, setSort] = useState<Sort | null>(null)
  const [filters, setFilters] = useState<Filter[]>([])
  const [selection, setSelection] = useState<Selection | null>(() => {
    const r = parseRows(wanted, rowCount)
    return r ? { anchor: { row: r[0], col: 0 }, focus: { row: r[1], col: columns.length - 1 } } : null
  })
  const [cell, setCell] = useState<{ place: Place; value: Cell } | null>(null)

  const pages = useMemo(() => new Pages((offset, limit, signal) => get<RowsPage>(`/runs/${runId}/rows` + query({
    statement, offset, limit, sort: sort ? `c${sort.col}:${sort.dir}` : '', filter: filters.length ? JSON.stringify(filters) : '',
  }), { signal })), [runId, statement, sort, filters])
  useEffect(() => { pages.open(); return () => pages.close() }, [pages])
  useSyncExternalStore(pages.subscribe, () => pages.version)
  const known = useRef(rowCount)
  if (filters.length === 0) known.current = rowCount
  else if (pages.filtered !== null) known.current = pages.filtered
  const rows = known.current

  const reorder = useCallback((col: number) => {
    setSelection(null)
    setSort((s) => (s?.col !== col ? { col, dir: 'asc' } : s.dir === 'asc' ? { col, dir: 'desc' } : null))
  }, [])
  const refilter = useCallback((col: number, f: Filter | null) => {
    setSelection(null)
    setFilters((old) => [...old.filter((x) => x.col !== 'c' + col), ...(f ? [f] : [])])
  }, [])

  const copy = useCallback(async (format: CopyFormat) => {
    const all: Selection = { anchor: { row: 0, col: 0 }, focus: { row: rows - 1, col: columns.length - 1 } }
    const box = boxOf(selection ?? all)
    const last = Math.min(box.bottom + 1, box.top + mostCopied)
    try {
      const part = await pages.range(box.top, last, new AbortController().signal)
      const cut = part.map((r) => r.slice(box.left, box.right + 1))
      const said = box.bottom + 1 > last ? t.grid.copiedCut(count(mostCopied)) : t.grid.copiedCells(count(cut.length), count(box.right - box.left + 1))
      await copyText(render(format, columns.slice(box.left, box.right + 1), cut), said)
    } catch (err) {
      toast(err instanceof Error ? err.message : t.run.rowsError, 'bad')
    }
  }, [rows, columns, selection, pages])

  const box = selection ? boxOf(selection) : null
  const many = box && (box.bottom > box.top || box.right > box.left)
  const touched = sort !== null || filters.length > 0
  const empty = rows === 0 && (filters.length === 0 || pages.filtered === 0)
  return (
    <div className="result-grid">
      <div className="grid-wrap">
        <Grid
          columns={columns} pages={pages} rows={rows} sort={sort} filters={filters} onSort={reorder} onFilter={refilter} selection={selection} onSelect={setSelection}
          onCopy={() => void copy('tsv')} onOpenCell={(place) => setCell({ place, value: pages.row(place.row)?.[place.col] ?? null })}
        />
        {empty && <div className="grid-none"><Empty title={filters.length ? t.run.noRowsFiltered : t.run.noRows} {...(filters.length ? {} : { hint: t.run.noRowsHint })} /></div>}
      </div>
      <div className="grid-foot">
        <span className="grid-status" role="status">
          {filters.length > 0 && <span>{t.grid.filtered(count(rows), count(rowCount))}</span>}
          {many && <span>{t.grid.selected(count(box.bottom - box.top + 1), count(box.right - box.left + 1))}</span>}
        </span>
        {touched && <Button small look="quiet" icon={<X size={14} aria-hidden="true" />} onClick={() => { setSort(null); setFilters([]); setSelection(null) }}>{t.grid.clear}</Button>}
        {box && !touched && (
          <Button small look="quiet" icon={<Link2 size={14} aria-hidden="true" />} onClick={() => void copyText(pageUrl(`/r/${short(runId)}?rows=${box.top + 1}-${box.bottom + 1}`), t.run.linkCopied)}>{t.grid.linkRows}</Button>
        )}
        <Menu
          trigger={<Button small look="quiet" icon={<Copy size={14} aria-hidden="true" />} disabled={rows === 0}>{t.grid.copyAs}</Button>}
          items={[
            { label: t.grid.copyTsv, onSelect: () => void copy('tsv') }, { label: t.grid.copyCsv, onSelect: () => void copy('csv') },
            { label: t.grid.copyJson, onSelect: () => void copy('json') }, { label: t.grid.copyMarkdown, onSelect: () => void copy('markdown') },
          ]}
        />
      </div>
      <Modal open={cell !== null} onOpen={() => setCell(null)} title={cell ? (columns[cell.place.col]?.name ?? t.grid.cell) : t.grid.cell} wide>
        {cell && (
          <>
            <pre className="cell-full" tabIndex={0}>{cell.value === null ? t.grid.null : cell.value}</pre>
            <footer className="modal-foot">{cell.value !== null && <CopyButton text={cell.value} label={t.grid.copyCell} />}</footer>
          </>
        )}
      </Modal>
    </div>
  )
}
