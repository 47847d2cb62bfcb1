import { expect, it } from 'vitest'
import { Problem } from './problem'

it('asks again by itself only for what passes by itself', () => {
  const again = (status: number, code: string, wait?: number) => new Problem({ title: '', status, code, ...(wait === undefined ? {} : { retry_after_ms: wait }) }).again
  expect(again(0, 'offline')).toBeGreaterThan(0)
  expect(again(503, 'warehouse-silent', 5000)).toBe(5000)
  expect(again(503, 'pages-busy', 20)).toBe(1000)
  expect(again(429, 'rate-limited', 2000)).toBe(2000)
  expect(again(429, 'too-many-tries', 2000)).toBeNull() // a person's guesses are not repeated
  expect(again(503, 'store-away')).toBeNull()
  expect(again(500, 'internal', 1000)).toBeNull()
  expect(again(404, 'not-found')).toBeNull()
})
