import { expect, it } from 'vitest'
import type { ChartSpec } from '../api/types'
import { comesForChart } from './opens'

const chart: ChartSpec = { v: 1, type: 'bar', x: 'day', y: [{ col: 'n', agg: 'sum' }] }
const working = { sql: '', params: [], at: '' }

it('is known from the address, or from the query when that says nothing', () => {
  expect(comesForChart({}, undefined)).toBe(false)
  expect(comesForChart({ view: 'chart' }, undefined)).toBe(false) // no run, no chart
  expect(comesForChart({ run: 'A', view: 'chart' }, undefined)).toBe(true)
  expect(comesForChart({ run: 'A', view: 'table' }, { chart, working: null })).toBe(false)
  expect(comesForChart({ run: 'A' }, undefined)).toBeUndefined()
  expect(comesForChart({ run: 'A' }, { chart, working: null })).toBe(true)
  expect(comesForChart({ run: 'A' }, { chart: null, working: null })).toBe(false)
  expect(comesForChart({ run: 'A' }, { chart, working: { ...working, chart: null } })).toBe(false)
  expect(comesForChart({ run: 'A' }, null)).toBe(false)
})
