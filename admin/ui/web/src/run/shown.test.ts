import { expect, it } from 'vitest'
import type { Run, RunStatement } from '../api/types'
import { askedStatement, linkSearch, shownStatement } from './shown'

const statement = (state: string, columns = 0) =>
  ({ state, result: state === 'succeeded' ? { columns: Array.from({ length: columns }, () => ({})) } : null }) as unknown as RunStatement
const run = (state: string, ...statements: RunStatement[]) => ({ state, statements: statements.map((s, index) => ({ ...s, index })) }) as unknown as Run

const setAndSelect = run('succeeded', statement('succeeded'), statement('succeeded', 2), statement('succeeded', 1))
const failed = run('failed', statement('succeeded', 2), statement('failed'), statement('skipped'))

it('shows what failed, or else the first rows, unless another was asked for', () => {
  expect(shownStatement(setAndSelect, null)).toBe(1)
  expect(shownStatement(setAndSelect, 0)).toBe(0)
  expect(shownStatement(setAndSelect, 9)).toBe(1)
  expect(shownStatement(failed, null)).toBe(1)
  expect(shownStatement(failed, 0)).toBe(0)
  expect(shownStatement(run('succeeded', statement('succeeded'), statement('succeeded')), null)).toBe(0)
  expect(shownStatement(run('running', statement('succeeded', 2), statement('running')), null)).toBe(0)
  expect(shownStatement(run('queued'), null)).toBe(0)
})

it('reads a statement from the address, or none', () => {
  expect(['2', '0', undefined, '', '-1', 'x', '1e9'].map((s) => askedStatement(s === undefined ? {} : { statement: s }))).toEqual([2, 0, null, null, null, null, null])
})

it('links to what is seen', () => {
  const spec = { v: 1, type: 'bar', x: 'day', y: [] } as const
  expect(linkSearch(setAndSelect, { kind: null, statement: null }, null)).toBe('?statement=1')
  expect(linkSearch(setAndSelect, { kind: 'table', statement: 2, rows: '4-9' }, null)).toBe('?statement=2&rows=4-9')
  expect(linkSearch(setAndSelect, { kind: 'chart', statement: 0 }, null)).toBe('?statement=0&chart=')
  const one = run('succeeded', statement('succeeded', 1))
  expect(linkSearch(one, { kind: 'table', statement: null }, null)).toBe('')
  expect(linkSearch(one, { kind: 'chart', statement: null, chart: '{}' }, null)).toBe('?chart=%7B%7D')
  expect(linkSearch(one, { kind: null, statement: null }, { ...spec, y: [] })).toContain('?chart=%7B')
})
