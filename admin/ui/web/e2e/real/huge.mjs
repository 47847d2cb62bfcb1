// A result of LK_ROWS rows and 20 columns, on its page: it scrolls smoothly to its end,
// and the cells there are those the API gives.
import { strict as assert } from 'node:assert'
import { scroll } from '../smooth.mjs'
import { browser, end, origin, Person, required, step } from './stage.mjs'

const run = required('LK_RUN')
const rows = Number(required('LK_ROWS'))
const owner = await Person.signIn('olga')

await step('the result opens', async () => {
  await owner.page.goto(`${origin}/r/${run}`)
  await owner.cells()
})
await step('and scrolls', async () => {
  const { smooth, said } = await scroll(browser, owner.page, rows, 10)
  assert.ok(smooth, said)
  return said
})
await step('to the last row, as the API has it', async () => {
  const seen = (await owner.cells()).at(-1)
  const answer = await owner.api('GET', `/runs/r_${run}/rows?offset=${rows - 1}&limit=1&values=text`)
  assert.equal(answer.status, 200)
  const last = answer.body.rows[0]
  assert.equal(last[0], String(rows))
  assert.deepEqual(seen.map(plain), last.slice(0, seen.length).map((c) => plain(c ?? 'NULL')))
})
await end()

function plain(cell) { return cell.replaceAll(/\s+/g, ' ') }
