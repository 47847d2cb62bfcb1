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
