import { describe, expect, it } from 'vitest'
import type { Aggregate, ChartSpec, Column } from '../api/types'
import { guess, parseSpec } from './guess'
import { plotOf } from './map'

const col = (name: string, type: string): Column => ({ name, type, oid: 0 })
const daily = [col('day', 'date'), col('channel', 'text'), col('n', 'int8')]

describe('the first guess', () => {
  it('draws time across, numbers up, one text as the split', () => {
    expect(guess(daily, 100)).toMatchObject({ type: 'line', x: 'day', y: [{ col: 'n', agg: 'sum' }], series: 'channel' })
  })
  it('draws bars by the first text', () => {
    expect(guess([col('channel', 'text'), col('n', 'int8')], 5)).toMatchObject({ type: 'bar', x: 'channel' })
  })
  it('shows one number large', () => {
    expect(guess([col('n', 'int8')], 1)).toMatchObject({ type: 'number', y: [{ col: 'n', agg: 'none' }] })
  })
  it('counts where there is nothing to add up, and takes no key for a measure', () => {
    expect(guess([col('channel', 'text')], 5).y).toEqual([{ col: 'channel', agg: 'count' }])
    expect(guess([col('person_id', 'int8'), col('at', 'timestamptz'), col('price', 'numeric')], 5).y[0]!.col).toBe('price')
  })
})

const spec: ChartSpec = { v: 1, type: 'line', x: 'day', y: [{ col: 'n', agg: 'sum' }], series: 'channel', nulls: 'gap' }
const answer = (columns: Column[], rows: (string | null)[][]): Aggregate => ({ columns, rows, from_rows: 1, of_rows: 1, truncated: null, series_cut: false })

describe('from rows to points', () => {
  const data = answer([...daily.slice(0, 2), col('sum(n)', 'numeric')], [['1', 'a', '10'], ['1', 'b', '20'], ['2', 'a', null], ['3', 'b', '0'], ['3', null, '5']])
  it('makes one series per value of the split, and leaves gaps', () => {
    expect(plotOf(spec, data)).toEqual({
      across: ['1', '2', '3'],
      series: [{ name: 'a', points: [10, null, null] }, { name: 'b', points: [20, null, 0] }, { name: 'NULL', points: [null, null, 5] }],
    })
  })
  it('fills with zero only when asked', () => {
    expect(plotOf({ ...spec, nulls: 'zero' }, data).series[0]!.points).toEqual([10, 0, 0])
  })
  it('keeps NULL across apart from empty text', () => {
    const { series: _, ...flat } = spec
    expect(plotOf(flat, answer([daily[0]!, col('sum(n)', 'numeric')], [[null, '1'], ['', '2']])).across).toEqual(['NULL', ''])
  })
  it('reads one number without anything across', () => {
    expect(plotOf({ v: 1, type: 'number', x: '', y: [{ col: 'n', agg: 'none' }] }, answer([col('n', 'int8')], [['214']])).series[0]!.points).toEqual([214])
  })
  it('draws no point where the text is no number', () => {
    const { series: _, ...flat } = spec
    expect(plotOf(flat, answer([daily[0]!, col('n', 'float8')], [['1', 'NaN'], ['2', 'Infinity'], ['3', '1e3']])).series[0]!.points).toEqual([null, null, 1000])
  })
})

describe('a spec from an address', () => {
  it('is taken when it fits the columns', () => {
    expect(parseSpec(JSON.stringify(spec), daily)).toMatchObject({ type: 'line', x: 'day', series: 'channel' })
  })
  it('is refused when it does not', () => {
    for (const bad of ['', 'x', '{}', '{"type":"map","x":"day","y":[{"col":"n","agg":"sum"}]}', '{"type":"line","x":"gone","y":[{"col":"n","agg":"sum"}]}', '{"type":"line","x":"day","y":[{"col":"n","agg":"drop"}]}']) expect(parseSpec(bad, daily)).toBeNull()
  })
})
