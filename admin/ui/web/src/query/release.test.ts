import { expect, it } from 'vitest'
import { releasedTo, running, servicesOn, standing } from './release'

const query = (...released: [string, number][]) => ({ id: 'q_1', released: released.map(([service, version]) => ({ service, version, by: 'ana', at: '' })) })
const token = (...versions: number[]) => ({ queries: versions.map((version) => ({ id: 'q_1', version })) })
const other = { queries: [{ id: 'q_2', version: 9 }] }

it('takes the highest that was released, not the first', () => {
  const q = query(['s', 2], ['s', 3], ['else', 7])
  expect(releasedTo(q, 's')).toBe(3)
  expect(releasedTo(q, 'none')).toBeNull()
  expect(standing(q, 's', [token(1)], 4)).toEqual({ from: 3, now: 3, effect: true })
})

it('knows the version that a token was made for', () => {
  expect(standing(query(), 's', [token(1), other], 4)).toEqual({ from: 1, now: 1, effect: true })
  expect(standing(query(), 's', [other], 4)).toEqual({ from: null, now: null, effect: true })
  expect(standing(query(['s', 2]), 's', [token(3)], 4)).toEqual({ from: 3, now: 3, effect: true })
})

it('says what takes no effect', () => {
  expect(standing(query(), 's', [token(3)], 2)).toEqual({ from: null, now: 3, effect: false })
  expect(standing(query(['s', 5]), 's', [token(3)], 4)).toEqual({ from: null, now: 5, effect: false })
  expect(standing(query(['s', 5]), 's', [], 5)).toEqual({ from: null, now: 5, effect: false })
})

it('and what takes effect for some tokens only', () => {
  expect(standing(query(), 's', [token(1), token(3)], 2)).toEqual({ from: 1, now: 3, effect: true })
})

it('lists what a service runs: each token the highest of its own and what was released', () => {
  expect(running(query(), 's', [token(1), token(3), other])).toEqual([1, 3])
  expect(running(query(['s', 2]), 's', [token(1), token(3)])).toEqual([2, 3])
  expect(running(query(['s', 2], ['s', 4]), 's', [token(1), token(3)])).toEqual([4])
  expect(running(query(['s', 2]), 's', [other])).toEqual([2])
  expect(running(query(), 's', [])).toEqual([])
})

it('names a service beside what it runs, not beside what was released below', () => {
  const q = query(['s', 1], ['s', 2], ['foreign', 1], ['foreign', 2])
  const tokens = new Map([['s', [token(3)]], ['pinned', [token(1)]], ['none', [other]]])
  expect([1, 2, 3, 4].map((n) => servicesOn(q, tokens, n))).toEqual([['pinned'], ['foreign'], ['s'], []])
})
