import { expect, it } from 'vitest'
import { diffLines } from './diff'

it('keeps what is common and gives both texts back', () => {
  const a = 'one\ntwo\nthree'
  const b = 'zero\none\nthree\nfour'
  const lines = diffLines(a, b)
  expect(lines.filter((l) => l.kind !== 'added').map((l) => l.text).join('\n')).toBe(a)
  expect(lines.filter((l) => l.kind !== 'removed').map((l) => l.text).join('\n')).toBe(b)
  expect(lines.filter((l) => l.kind === 'same').map((l) => l.text)).toEqual(['one', 'three'])
})

it('leaves no line out of a text too long to compare', () => {
  const a = Array.from({ length: 2500 }, (_, i) => `a${i}`)
  const b = Array.from({ length: 2500 }, (_, i) => `b${i}`)
  const before = ['head', ...a, 'tail'].join('\n')
  const after = ['head', ...b, 'tail'].join('\n')
  const lines = diffLines(before, after)
  expect(lines.filter((l) => l.kind === 'same').map((l) => l.text)).toEqual(['head', 'tail'])
  expect(lines.filter((l) => l.kind !== 'added').map((l) => l.text).join('\n')).toBe(before)
  expect(lines.filter((l) => l.kind !== 'removed').map((l) => l.text).join('\n')).toBe(after)
})

it('shows the one line that changed in a long text', () => {
  const lines = Array.from({ length: 9000 }, (_, i) => `line ${i}`)
  const changed = lines.with(8000, 'other')
  expect(diffLines(lines.join('\n'), changed.join('\n')).filter((l) => l.kind !== 'same')).toEqual([{ kind: 'removed', text: 'line 8000' }, { kind: 'added', text: 'other' }])
})
