import type { List } from './types'

const bound = 10 // pages of 200: more than anybody scrolls through

/** All of a list, page after page; at the bound what came until then. */
export async function allOf<T>(page: (search: string) => Promise<List<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor = ''
  for (let n = 0; n < bound; n++) {
    const answer = await page('limit=200' + (cursor && `&cursor=${encodeURIComponent(cursor)}`))
    items.push(...answer.items)
    if (!answer.next) break
    cursor = answer.next
  }
  return items
}
