import { describe, expect, it } from 'vitest'
import corpus from './testdata/split.json'
import { tokens, type Dialect } from './lexer'
import { bindNames, codePoints, split, statementAt, utf16 } from './split'

describe('the corpus that the server reads too', () => {
  it.each(corpus)('$name', (c) => {
    const mode = { dialect: c.dialect as Dialect, backslash: 'backslash' in c && c.backslash === true, binds: true }
    const got = split(c.sql, mode).map((s) => [codePoints(c.sql, s.start), codePoints(c.sql, s.end)])
    expect(got).toEqual(c.statements)
    expect(bindNames(c.sql, mode)).toEqual(c.binds)
  })

  it.each(corpus)('tokens tile: $name', (c) => {
    let at = 0
    for (const t of tokens(c.sql, { dialect: c.dialect as Dialect, binds: true })) {
      expect(t.start).toBe(at)
      expect(t.end).toBeGreaterThan(t.start)
      at = t.end
    }
    expect(at).toBe(c.sql.length)
  })
})

describe('statementAt', () => {
  const sql = 'select 1;\n\nselect 2 ; -- two\nselect 3'
  const at = (pos: number) => {
    const st = statementAt(sql, split(sql, { dialect: 'postgres' }), pos)
    return st && sql.slice(st.start, st.end)
  }
  it('takes the statement the cursor stands in or touches', () => {
    expect(at(0)).toBe('select 1')
    expect(at(8)).toBe('select 1')
    expect(at(sql.length)).toBe('select 3')
  })
  it('takes the one before on the same line, behind its semicolon', () => {
    expect(at(9)).toBe('select 1')
    expect(at(sql.indexOf(';', 12) + 1)).toBe('select 2')
  })
  it('takes the next one from an empty line', () => {
    expect(at(10)).toBe('select 2')
  })
  it('finds nothing in nothing', () => {
    expect(statementAt('  -- x', split('  -- x', { dialect: 'postgres' }), 3)).toBeNull()
  })
})

it('counts code points there and back', () => {
  const s = 'a🚢b日c'
  expect(codePoints(s, s.indexOf('c'))).toBe(4)
  for (let n = 0; n <= 5; n++) expect(codePoints(s, utf16(s, n))).toBe(n)
})
