// A shared answer stays what it was: whatever happens to the table afterwards, whoever
// may read the table sees the same cells; whoever may not cannot tell that it exists.
import { strict as assert } from 'node:assert'
import { end, origin, Person, sql, step } from './stage.mjs'

const question = 'select id, buyer, amount, paid_at, note from shop.orders order by id'
const owner = await Person.signIn('olga', { permissions: ['clipboard-read', 'clipboard-write'] })
const reader = await Person.signIn('vera')
const stranger = await Person.signIn('nora')
let run
let seen

await step('the owner runs it and sees what the API gives', async () => {
  await owner.write(question)
  run = await owner.run()
  seen = await owner.cells()
  assert.equal(seen.length, 12)
  assert.deepEqual(seen, await owner.rows(run))
  await owner.axe('query with a result')
})
await step('and charts it', async () => {
  await owner.page.getByRole('tab', { name: 'Chart' }).click()
  await owner.page.getByRole('img', { name: /by/ }).waitFor()
  await owner.axe('query with a chart')
  await owner.page.getByRole('tab', { name: 'Table' }).click()
})
await step('and saves it', async () => {
  await owner.button('Save').click()
  await owner.page.getByLabel('Name', { exact: true }).fill('Orders of the shop')
  await owner.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await owner.page.getByText('Saved as version 1').waitFor()
  await owner.page.waitForURL(/\/q\/[0-9A-Z]{16}/)
})
await step('and copies the link of the result', async () => {
  await owner.button('Copy link').click()
  await owner.page.getByText('Link copied').waitFor()
  assert.equal(await owner.page.evaluate(() => navigator.clipboard.readText()), `${origin}/r/${run}`)
})

const same = async (who) => {
  await who.page.goto(`${origin}/r/${run}`)
  assert.deepEqual(await who.cells(), seen)
  assert.deepEqual(await who.rows(run), seen)
}
await step('the table changes; the reader sees the answer as it was', async () => {
  assert.equal(await sql("update shop.orders set amount = amount * 10, buyer = 'somebody else' returning 1"), '1')
  await same(reader)
  await reader.axe('/r')
})
await step('the table is emptied; the reader still does', async () => {
  await sql('truncate shop.orders')
  await same(reader)
  await reader.page.getByText('Frozen').waitFor()
})
await step('when the office is busy the page says so, and asks again without a click', async () => {
  reader.expected = [503]
  const busy = { title: 'Too many rows are on their way', detail: 'Many rows are on their way to readers already.', status: 503, code: 'pages-busy', retry_after_ms: 1000 }
  await reader.page.route(/\/rows\?/, (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(busy) }), { times: 1 })
  await reader.page.goto(`${origin}/r/${run}`)
  await reader.page.getByRole('alert').getByText('Many rows are on their way').waitFor()
  assert.deepEqual(await reader.cells(), seen)
  await reader.page.getByRole('alert').waitFor({ state: 'detached' })
  reader.expected = []
})
await step('but a run of now is empty', async () => {
  await owner.button('Run').click()
  await owner.page.getByText('The statement ran and found nothing.').waitFor()
})

const nowhere = '0123456789ABCDEF'
// What a person can see, and what a program can: nothing but the ids may differ.
const nothing = async (who, id) => {
  who.expected = [404]
  await who.page.goto(`${origin}/r/${id}`)
  await who.page.getByText("This doesn't exist or isn't open to you.").waitFor()
  await who.page.getByText('No run of yours is active').waitFor() // the frame is whole
  const text = await who.page.locator('body').innerText()
  const answers = []
  for (const [method, path, data] of [['GET', ''], ['GET', '/rows'], ['GET', '/result.csv'], ['GET', '/viewers'], ['GET', '/events'], ['POST', '/cancel', {}], ['PATCH', '', { title: 'x' }], ['DELETE', '']]) {
    const { status, body } = await who.api(method, `/runs/r_${id}${path}`, data)
    answers.push(`${method} ${path} ${status} ${JSON.stringify(body).replaceAll(id, 'ID').replaceAll(/"(request_id|instance)":"[^"]*"/g, '')}`)
  }
  return { title: await who.page.title(), text: text.replaceAll(id, 'ID'), answers }
}
await step('whoever may not read the table gets what a random id gives', async () => {
  const closed = await nothing(stranger, run)
  const absent = await nothing(stranger, nowhere)
  assert.deepEqual(closed, absent)
  for (const a of closed.answers) assert.match(a, / 404 /)
  await stranger.axe('not found')
  return `${closed.answers.length} requests, all the same`
})

await step('the owner names the stranger, to whom the policy forbids nothing: then it opens', async () => {
  await owner.page.goto(`${origin}/r/${run}`)
  await owner.button('More').click()
  await owner.page.getByRole('menuitem', { name: 'Share with' }).click()
  await owner.page.getByLabel('Login of a person').fill('nora')
  await owner.page.getByRole('dialog').getByRole('button', { name: 'Share', exact: true }).click()
  await owner.page.getByText('Nora Newcomer').waitFor()
  await owner.axe('share dialog')
  await owner.page.keyboard.press('Escape')
  await same(stranger)
})
await step('the table is gone: the owner and who was named open it, nobody else', async () => {
  await sql('drop table shop.orders')
  await same(owner)
  await same(stranger)
  const other = await Person.signIn('pete') // may read all of the shop, and is not named
  assert.deepEqual(await nothing(other, run), await nothing(other, nowhere))
})
await step('a name taken back is taken back at once', async () => {
  await owner.button('More').click()
  await owner.page.getByRole('menuitem', { name: 'Share with' }).click()
  await owner.button('Stop sharing with nora').click()
  await owner.page.getByText('Nobody is named yet.').waitFor()
  assert.deepEqual(await nothing(stranger, run), await nothing(stranger, nowhere))
})
await end()
