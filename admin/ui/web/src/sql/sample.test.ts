import { expect, it } from 'vitest'
import type { Completions } from '../api/types'
import { samples } from './sample'

const table = (name: string) => ({ name, kind: 'table', columns: [] as [string, string][] })
const catalog: Completions = {
  schemas: [{ name: 'pii', tables: [table('contact')] }, { name: 'school', tables: [table('dim_date'), table('Odd')] }, { name: 'near', tables: [table('x')] }], search_path: ['near'], functions: [], version: 1,
}

it('begins with what needs no prefix, then with the fullest schema', () => {
  expect(samples(catalog).map((s) => s.split('\n')[1])).toEqual(['from near.x', 'from school.dim_date', 'from school."Odd"', 'from pii.contact'])
  expect(samples(catalog, 2)).toHaveLength(2)
  expect(samples(undefined)).toEqual([])
})
