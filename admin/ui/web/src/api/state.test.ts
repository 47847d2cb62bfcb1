import { expect, it } from 'vitest'
import { newest } from './state'
import type { Run } from './types'

it('never goes back from what is newer', () => {
  const at = (version: number, state: string) => ({ state, version }) as unknown as Run
  const queued = at(1, 'queued'), running = at(3, 'running'), ended = at(4, 'succeeded')
  expect(newest(undefined, queued)).toBe(queued)
  expect(newest(queued, running)).toBe(running)
  expect(newest(running, queued)).toBe(running)
  expect(newest(ended, running), 'an answer that was overtaken by the event of the end').toBe(ended)
  expect(newest(ended, at(9, 'running'))).toBe(ended)
  const stored = at(3, 'succeeded')
  expect(newest(ended, stored), 'as it is stored').toBe(stored)
})
