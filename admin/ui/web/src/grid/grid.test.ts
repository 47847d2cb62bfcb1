import { describe, expect, it, vi } from 'vitest'
import type { Cell, RowsPage } from '../api/types'
import { render } from './copy'
import { Pages, pageSize } from './pages'
import { offsetOf, reveal, rowHeight, rowsIn, scaledFrom, scaleOf, scrollHeight, scrollTopOf } from './scale'
import { boxOf, move, parseRows } from './selection'

const view = 600

describe('the scroll bar', () => {
  it('is pixel for pixel up to half a million rows', () => {
    expect(scaleOf(scaledFrom, view)).toBe(1)
    expect(offsetOf(12345, 182_334, view)).toBe(12345)
  })
  it('reaches the last of ten million rows within what browsers allow', () => {
    const n = 10_000_000
    expect(scrollHeight(n)).toBeLessThan(17_000_000)
    const end = offsetOf(scrollHeight(n) - view, n, view)
    expect(end).toBeCloseTo(n * rowHeight - view, 0)
    expect(rowsIn(end, view, n, 0)[1]).toBe(n)
    expect(offsetOf(0, n, view)).toBe(0)
  })
  it('goes there and back', () => {
    const n = 10_000_000
    for (const o of [0, 5_000, 123_456_789]) expect(offsetOf(scrollTopOf(o, n, view), n, view)).toBeCloseTo(o, 3)
  })
  it('draws what is in sight, and some', () => {
    expect(rowsIn(0, view, 5, 5)).toEqual([0, 5])
    expect(rowsIn(1000 * rowHeight, view, 1e6, 5)).toEqual([995, 1027])
    expect(rowsIn(0, view, 0, 5)).toEqual([0, 0])
  })
  it('moves as little as it must to show a row', () => {
    expect(reveal(3, 0, view)).toBe(0)
    expect(reveal(0, 500, view)).toBe(0)
    expect(reveal(100, 0, view)).toBe(101 * rowHeight - view)
  })
})

const page = (offset: number, limit: number): RowsPage => ({
  run: 'r', statement: 0, offset, count: limit, row_count: 1e6, filtered_count: null, columns: [], truncated: null, next: null,
  rows: Array.from({ length: limit }, (_, i): Cell[] => [String(offset + i)]),
})
const settle = () => new Promise((r) => setTimeout(r, 0))

describe('pages of rows', () => {
  it('asks once for each page in sight and gives its rows', async () => {
    const fetch = vi.fn((o: number, l: number) => Promise.resolve(page(o, l)))
    const pages = new Pages(fetch)
    pages.want(490, 520)
    pages.want(490, 520)
    expect(pages.row(499)).toBeUndefined()
    await settle()
    expect(fetch.mock.calls.map((c) => c[0])).toEqual([0, pageSize])
    expect([pages.row(0), pages.row(499), pages.row(500)]).toEqual([['0'], ['499'], ['500']])
  })
  it('drops what was passed by before it came', async () => {
    const signals: AbortSignal[] = []
    const pages = new Pages((o, l, signal) => {
      signals.push(signal)
      return new Promise((resolve) => setTimeout(() => resolve(page(o, l)), 5))
    })
    pages.want(0, 10)
    pages.want(900_000, 900_010)
    expect(signals.map((s) => s.aborted)).toEqual([true, false])
    await new Promise((r) => setTimeout(r, 20))
    expect(pages.row(0)).toBeUndefined()
    expect(pages.row(900_000)).toEqual(['900000'])
    pages.close()
  })
  it('forgets the pages looked at longest ago', async () => {
    const pages = new Pages((o, l) => Promise.resolve(page(o, l)))
    for (let p = 0; p < 70; p++) {
      pages.want(p * pageSize, p * pageSize + 10)
      await settle()
      pages.want(0, 10) // the first page stays in use
    }
    expect(pages.row(0)).toEqual(['0'])
    expect(pages.row(pageSize)).toBeUndefined()
    expect(pages.row(69 * pageSize)).toEqual([String(69 * pageSize)])
  })
  it('stops at an error until it is told to try again', async () => {
    let broken = true
    const pages = new Pages((o, l) => (broken ? Promise.reject(new Error('away')) : Promise.resolve(page(o, l))))
    pages.want(0, 10)
    await settle()
    expect(pages.error?.message).toContain('away')
    pages.retry()
    expect(pages.error?.message).toContain('away') // what failed stays in sight while it is asked again
    await settle()
    broken = false
    pages.retry()
    await settle()
    expect(pages.error).toBeNull()
    expect(pages.row(3)).toEqual(['3'])
  })
  it('keeps an error in sight that another page got past', async () => {
    const pages = new Pages((o, l) => (o === 0 ? Promise.reject(new Error('away')) : new Promise((resolve) => setTimeout(() => resolve(page(o, l)), 2))))
    pages.want(490, 520)
    await new Promise((r) => setTimeout(r, 10))
    expect([pages.error?.message, pages.row(500)]).toEqual(['Error: away', ['500']])
    pages.want(500, 520) // what is in sight now is there
    pages.retry()
    expect(pages.error).toBeNull()
  })
  it('fetches for a copy what was never seen', async () => {
    const pages = new Pages((o, l) => Promise.resolve(page(o, l)))
    const rows = await pages.range(7, 12_345, new AbortController().signal)
    expect([rows.length, rows[0], rows.at(-1)]).toEqual([12_338, ['7'], ['12344']])
  })
})

describe('selection', () => {
  const size = { rows: 100, cols: 5, page: 20 }
  const press = (key: string, more: object = {}) => ({ key, shiftKey: false, jump: false, ...more })
  it('moves by keys and stays inside', () => {
    const from = { row: 50, col: 2 }
    expect(move(from, press('ArrowDown'), size)).toEqual({ row: 51, col: 2 })
    expect(move(from, press('PageUp'), size)).toEqual({ row: 30, col: 2 })
    expect(move(from, press('End', { jump: true }), size)).toEqual({ row: 99, col: 4 })
    expect(move({ row: 99, col: 4 }, press('ArrowRight'), size)).toEqual({ row: 99, col: 4 })
    expect(move(from, press('x'), size)).toBeNull()
  })
  it('enters the header by an arrow, not by shift', () => {
    expect(move({ row: 0, col: 1 }, press('ArrowUp'), size)).toEqual({ row: -1, col: 1 })
    expect(move({ row: 0, col: 1 }, press('ArrowUp', { shiftKey: true }), size)).toEqual({ row: 0, col: 1 })
    expect(move({ row: -1, col: 1 }, press('ArrowDown'), size)).toEqual({ row: 0, col: 1 })
  })
  it('is a box whichever way it was drawn', () => {
    expect(boxOf({ anchor: { row: 9, col: 3 }, focus: { row: 2, col: 4 } })).toEqual({ top: 2, bottom: 9, left: 3, right: 4 })
  })
  it('reads ?rows=', () => {
    expect(parseRows('120-130', 1000)).toEqual([119, 129])
    expect(parseRows('130-120', 125)).toEqual([119, 124])
    expect(parseRows('7', 10)).toEqual([6, 6])
    for (const bad of ['0', 'x', '', '11', '1-2-3', undefined]) expect(parseRows(bad, 10)).toBeNull()
  })
})

describe('copying', () => {
  const cols = ['a', 'b'].map((name) => ({ name, type: 'text', oid: 25 }))
  const rows: Cell[][] = [['9007199254740993', null], ['', 'x,"y"\tz\nw|']]
  it('keeps every digit, NULL and empty apart where the format can', () => {
    expect(render('tsv', cols, rows)).toBe('a\tb\n9007199254740993\t\n\t"x,""y""\tz\nw|"')
    expect(render('csv', cols, rows)).toBe('a,b\n9007199254740993,\n"","x,""y""\tz\nw|"')
    expect(JSON.parse(render('json', cols, rows))).toEqual([{ a: '9007199254740993', b: null }, { a: '', b: 'x,"y"\tz\nw|' }])
    expect(render('markdown', cols, rows)).toBe('| a | b |\n| --- | --- |\n| 9007199254740993 | *NULL* |\n|  | x,"y"\tz<br>w\\| |')
  })
  it('loses no column to a twin name', () => {
    const twins = [{ name: 'x', type: 'text', oid: 25 }, { name: 'x', type: 'text', oid: 25 }]
    expect(JSON.parse(render('json', twins, [['1', '2']]))).toEqual({ columns: ['x', 'x'], rows: [['1', '2']] })
  })
})
