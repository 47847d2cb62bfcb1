import { expect, it } from 'vitest'
import { allOf } from './all'

it('asks for page after page until there is no next', async () => {
  const asked: string[] = []
  const pages = [{ items: [1, 2], next: 'a&b' }, { items: [3], next: 'c' }, { items: [4], next: null }]
  expect(await allOf((search) => { asked.push(search); return Promise.resolve(pages[asked.length - 1]!) })).toEqual([1, 2, 3, 4])
  expect(asked).toEqual(['limit=200', 'limit=200&cursor=a%26b', 'limit=200&cursor=c'])
})

it('ends at its bound, whatever the server says', async () => {
  let n = 0
  expect(await allOf(() => Promise.resolve({ items: [n++], next: 'more' }))).toHaveLength(10)
})
