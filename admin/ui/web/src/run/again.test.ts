import { expect, it } from 'vitest'
import type { QueryVersion, Run } from '../api/types'
import { whatAgain } from './again'

const run = { sql: 'select :n', params: [{ name: 'n', type: 'int8', value: '1' }], query: { id: 'q_1', version: 2, title: '' } } as unknown as Run
const version = (sql: string, type = 'int8') => ({ version: 2, sql, params: [{ name: 'n', type, default: null }] }) as unknown as QueryVersion
const pick = { query: { id: 'q_1', version: 2 } }
const text = { sql: 'select :n' }

it('is the same version of the same query as long as that says the same', () => {
  expect(whatAgain(run, version('select :n'))).toEqual(pick)
})

it('is the text where the query is not open, or there was none', () => {
  expect(whatAgain(run, null)).toEqual(text)
  expect(whatAgain({ ...run, query: null }, null)).toEqual(text)
})

it('is the text where a draft says something else by now', () => {
  expect(whatAgain(run, version('delete from everything'))).toEqual(text)
  expect(whatAgain(run, version('select :n', 'text')), 'its parameters, too').toEqual(text)
})
