import { expect, it } from 'vitest'
import { releasedTo, standing } from './release'

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
