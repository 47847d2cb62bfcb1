import { expect, it } from 'vitest'
import { split, statementAt } from '../sql/split'
import { linesOf, pieces } from './plain'

const text = "select 'a -- b', 7 -- a comment\nfrom t /* more */ where x = :p and y = $$q$$;\n\nselect 2"

it('leaves nothing out', () => {
  for (const x of [text, '', '  ', "select 'open", 'a\n\n', '\u{1f600} select']) expect(pieces(x, 'postgres').map((p) => p.text).join('')).toBe(x)
})
it('tells the looks apart', () => {
  const of = (look: string) => pieces(text, 'postgres').filter((p) => p.look === look).map((p) => p.text)
  expect(of('keyword')).toEqual(['select', 'from', 'where', 'and', 'select'])
  expect(of('string')).toEqual(["'a -- b'", '$$q$$'])
  expect(of('number')).toEqual(['7', '2'])
  expect(of('comment')).toEqual(['-- a comment', '/* more */'])
})
it('knows the lines of a statement', () => {
  const all = split(text, { dialect: 'postgres' })
  expect(linesOf(text, statementAt(text, all, 0))).toEqual({ first: 0, last: 1 })
  expect(linesOf(text, statementAt(text, all, text.length))).toEqual({ first: 3, last: 3 })
  expect(linesOf(text, null)).toBeNull()
})
