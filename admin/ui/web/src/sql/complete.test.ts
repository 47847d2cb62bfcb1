import { describe, expect, it } from 'vitest'
import type { Completions } from '../api/types'
import { complete, quoteName } from './complete'
import { split } from './split'
import { scopeOf } from './scope'

const catalog: Completions = {
  schemas: [
    { name: 'analytics', tables: [{ name: 'fact', kind: 'table', columns: [['id', 'int8'], ['channel', 'text'], ['Mixed Case', 'text']] }, { name: 'dim', kind: 'table', columns: [['id', 'int8'], ['title', 'text']] }] },
    { name: 'other', tables: [{ name: 'fact', kind: 'view', columns: [['elsewhere', 'int4']] }, { name: 'far', kind: 'table', columns: [['x', 'int4']] }] },
  ],
  search_path: ['analytics'], functions: ['count'], version: 1,
}

/** Labels offered at the | in a text. */
function at(text: string, explicit = true): string[] | null {
  const pos = text.indexOf('|')
  const found = complete(text.replace('|', ''), pos, catalog, 'postgres', explicit)
  return found && found.options.filter((o) => o.type !== 'keyword').map((o) => o.label)
}

describe('after a dot', () => {
  it('offers the columns of what the alias stands for', () => {
    expect(at('select f.| from fact f')).toEqual(['id', 'channel', 'Mixed Case'])
    expect(at('select d.t| from fact f join dim as d on true')).toEqual(['id', 'title'])
  })
  it('keeps to the schema that is named', () => {
    expect(at('select o.| from other.fact o')).toEqual(['elsewhere'])
    expect(at('select * from other.|')).toEqual(['fact', 'far'])
    expect(at('select other.fact.| from other.fact')).toEqual(['elsewhere'])
  })
  it('knows the columns of a WITH and of a subquery', () => {
    expect(at('with a as (select id, count(*) as n from fact) select a.| from a')).toEqual(['id', 'n'])
    expect(at('with a(p, q) as (select 1, 2) select z.| from a z')).toEqual(['p', 'q'])
    expect(at('select s.| from (select f.channel, 1 as one from fact f) s')).toEqual(['channel', 'one'])
  })
  it('looks at the statement of the cursor only', () => {
    expect(at('select 1 from dim f; select f.| from fact f')).toEqual(['id', 'channel', 'Mixed Case'])
    expect(at('select 1 from dim d; select d.|')).toEqual([])
  })
  it('keeps the order of the table', () => {
    const found = complete('select f. from fact f', 9, catalog, 'postgres', true)
    const boosts = found!.options.map((o) => o.boost)
    expect(boosts).toEqual([...boosts].sort((a, b) => b - a))
  })
})

describe('elsewhere', () => {
  it('offers tables after FROM, JOIN and a comma among them', () => {
    for (const text of ['select * from |', 'select * from fact f join |', 'select * from fact f, |']) {
      expect(at(text)).toContain('dim')
      expect(at(text)).not.toContain('channel')
    }
  })
  it('offers the columns of the sources in other places', () => {
    expect(at('select | from fact')).toEqual(expect.arrayContaining(['channel', 'fact', 'count']))
    expect(at('select * from fact where |')).toContain('channel')
  })
  it('qualifies what is not on the search path', () => {
    const found = complete('select * from fa', 16, catalog, 'postgres', true)
    expect(found?.options.map((o) => o.apply)).toEqual(expect.arrayContaining(['fact', 'other.far', 'other.fact']))
    expect(found?.from).toBe(14)
  })
  it('says nothing in strings, comments and numbers', () => {
    for (const text of ["select 'fa|ct'", 'select 1 -- fa|', 'select /* | */ 1', 'select 12|', "select 'open |"]) expect(at(text)).toBeNull()
  })
  it('waits for a letter unless it is asked', () => {
    expect(at('select |', false)).toBeNull()
    expect(at('select c| from fact', false)).toContain('channel')
  })
})

it('quotes the names that need it', () => {
  expect(['plain', 'Mixed Case', 'select', 'a"b', '1st'].map(quoteName)).toEqual(['plain', '"Mixed Case"', '"select"', '"a""b"', '"1st"'])
})

it('reads sources and their aliases', () => {
  const sql = 'select 1 from a, "B"."C" as x left join lateral (select 1) y on true cross join d where e'
  const scope = scopeOf(sql, split(sql, { dialect: 'postgres' })[0]!.tokens)
  expect(scope.sources.map((s) => [s.schema, s.table, s.alias])).toEqual([[null, 'a', 'a'], ['B', 'C', 'x'], [null, null, 'y'], [null, 'd', 'd']])
})
