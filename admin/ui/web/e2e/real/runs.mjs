// What a run can come to besides rows: canceled, waiting, failed, cut at the limit.
import { strict as assert } from 'node:assert'
import { end, eventually, origin, Person, sql, step } from './stage.mjs'

const owner = await Person.signIn('olga', { permissions: ['clipboard-read', 'clipboard-write'] })
const queued = await Person.signIn('quin') // the policy lets one statement of theirs run at a time

/** The word on what went wrong with a statement. */
const trouble = owner.page.getByRole('region', { name: 'Result' }).getByRole('alert')
const sleeping = () => sql("select count(*) from pg_stat_activity where query like '%pg_sleep(61)%' and state = 'active' and pid <> pg_backend_pid()")
await step('Cancel ends a statement at the warehouse', async () => {
  await owner.write('select pg_sleep(61)')
  const run = await owner.run()
  await eventually('it runs', sleeping, (n) => n === '1')
  await owner.page.getByRole('status').filter({ hasText: 'Running' }).first().waitFor()
  await owner.axe('a running statement')
  await owner.button('Keep running').click()
  await owner.page.getByRole('button', { name: 'Keep running', pressed: true }).waitFor()
  assert.equal((await owner.api('GET', `/runs/r_${run}`)).body.keep, true)
  await owner.button('Keep running').click()
  await owner.page.getByRole('button', { name: 'Keep running', pressed: false }).waitFor()
  const began = Date.now()
  await owner.page.getByRole('toolbar').getByRole('button', { name: 'Cancel' }).click()
  await trouble.getByText('Canceled by olga').waitFor()
  const took = Date.now() - began
  await eventually('it ended', sleeping, (n) => n === '0')
  assert.equal((await owner.api('GET', `/runs/r_${run}`)).body.state, 'canceled')
  await owner.axe('a canceled statement')
  return `${took} ms from the press to the word`
})

await step('and by its key on the page of the run', async () => {
  const { body } = await owner.api('POST', '/runs', { sql: 'select pg_sleep(64)', params: [] }, { Prefer: 'respond-async' })
  await owner.page.goto(`${origin}/r/${body.id.slice(2)}`)
  await owner.button('Cancel').waitFor()
  await eventually('it ends', async () => {
    await owner.page.keyboard.press('Control+.')
    return owner.api('GET', `/runs/${body.id}`)
  }, (a) => a.body.state === 'canceled')
})

await step('a run opens in the editor with its list, and runs again with its limit', async () => {
  const { body } = await owner.api('POST', '/runs', {
    sql: 'select n from shop.big where id = any(:ids) order by id', limits: { max_rows: 2 }, params: [{ name: 'ids', type: 'int8[]', value: ['3', '4', '5'] }],
  })
  assert.equal(body.state, 'succeeded', JSON.stringify(body))
  await owner.page.goto(`${origin}/r/${body.id.slice(2)}`)
  await owner.button('Run again').click()
  await owner.page.waitForURL((u) => /^\/r\//.test(u.pathname) && !u.pathname.includes(body.id.slice(2)))
  await owner.page.getByText(/First 2 rows only/).waitFor()
  await owner.button('Open in editor').click()
  await owner.page.waitForURL(/\/d\//)
  const draft = (await owner.api('GET', `/queries/q_${/\/d\/([0-9A-Z]{16})/.exec(owner.page.url())[1]}`)).body
  assert.deepEqual(draft.params[0].default, ['3', '4', '5'])
  await owner.button('Run').click()
  await owner.page.getByRole('tab', { name: 'Table' }).waitFor()
})

await step('a parameter that is an object is shown, opened and run as one', async () => {
  const { body } = await owner.api('POST', '/runs', { sql: "select :doc ->> 'kind' as kind", params: [{ name: 'doc', type: 'jsonb', value: { kind: 'gift' } }] })
  assert.equal(body.state, 'succeeded', JSON.stringify(body))
  await owner.page.goto(`${origin}/r/${body.id.slice(2)}`)
  await owner.button('Open in editor').waitFor()
  assert.match(await owner.page.locator('.sql-params').textContent(), /:doc = {"kind":"gift"}/)
  await owner.button('Open in editor').click()
  await owner.page.waitForURL(/\/d\//)
  const draft = (await owner.api('GET', `/queries/q_${/\/d\/([0-9A-Z]{16})/.exec(owner.page.url())[1]}`)).body
  assert.deepEqual(draft.params[0].default, { kind: 'gift' })
  await owner.run()
  await owner.page.getByRole('gridcell', { name: 'gift', exact: true }).waitFor()
})

await step('a lock that another run holds', async () => {
  const holder = await owner.api('POST', '/runs', { sql: 'begin; lock table shop.big in access exclusive mode; select pg_sleep(63)', multi: true, access: 'read_write', params: [] }, { Prefer: 'respond-async' })
  assert.equal(holder.status, 202, JSON.stringify(holder.body))
  await eventually('it holds the lock', () => sql("select count(*) from pg_stat_activity where query like '%pg_sleep(63)%' and wait_event = 'PgSleep'"), (n) => n === '1')
  await owner.write('select count(*) from shop.big')
  await owner.run()
  const status = owner.page.getByRole('status').filter({ hasText: 'waits for a lock that a session of olga' })
  await status.waitFor()
  const words = (await status.innerText()).replaceAll(/\s+/g, ' ')
  assert.ok([200, 202].includes((await owner.api('POST', `/runs/${holder.body.id}/cancel`, {})).status))
  await owner.page.getByRole('gridcell', { name: '5000', exact: true }).waitFor()
  return words
})

await step('a place in the queue, and why', async () => {
  const { body: answer } = await owner.api('POST', '/runs', { sql: 'select id from shop.big where id < 4', params: [] })
  assert.equal(answer.state, 'succeeded')
  const first = await queued.api('POST', '/runs', { sql: 'select pg_sleep(62)', params: [] }, { Prefer: 'respond-async' })
  assert.equal(first.status, 202, JSON.stringify(first.body))
  await eventually('the first one runs', () => queued.api('GET', `/runs/${first.body.id}`), (a) => a.body.state === 'running')
  await queued.write('select 42 as answer')
  const run = await queued.run()
  const status = queued.page.getByRole('status').filter({ hasText: 'Queued: place 1' })
  await status.waitFor()
  const { wait, state } = (await queued.api('GET', `/runs/r_${run}`)).body
  assert.equal(state, 'queued')
  assert.equal(wait.reason, 'slot')
  assert.equal(wait.position, 1)
  const words = (await status.innerText()).replaceAll(/\s+/g, ' ')
  assert.ok(words.includes(wait.detail) && wait.detail.length > 5, `${words} lacks ${wait.detail}`)
  await queued.axe('a waiting statement')
  // What the office itself asks the warehouse in their name does not wait with them.
  await queued.page.getByRole('treeitem', { name: /^shop/ }).waitFor()
  const shared = await queued.api('GET', `/runs/${answer.id}/rows`)
  assert.equal(shared.status, 200, JSON.stringify(shared.body))
  assert.ok([200, 202].includes((await queued.api('POST', `/runs/${first.body.id}/cancel`, {})).status))
  await queued.page.getByRole('gridcell', { name: '42', exact: true }).waitFor()
  return words
})

await step('the place of an error is shown with a caret', async () => {
  await owner.write('select 1,\n  no_such_column\nfrom shop.big')
  await owner.run()
  await trouble.getByText('column "no_such_column" does not exist').waitFor()
  await trouble.getByText('line 2, column 3').waitFor()
  await trouble.getByText('42703').waitFor()
  assert.match(await trouble.innerText(), /^ {2}no_such_column\n {2}\^$/m)
  await owner.axe('a failed statement')
})

await step('of several statements the one that failed is shown, or the first with rows', async () => {
  await owner.write("select 'first' as one;\nselect no_such_column;\nselect 3")
  await owner.page.keyboard.press('Control+Shift+Enter')
  await trouble.getByText('column "no_such_column" does not exist').waitFor()
  await owner.page.getByRole('tab', { name: /Statement 1/ }).click()
  await owner.page.getByRole('gridcell', { name: 'first', exact: true }).waitFor()
  await owner.write("set application_name = 'mine';\nselect 'second' as two;\nselect 'third' as three")
  await owner.page.keyboard.press('Control+Shift+Enter')
  await owner.page.getByRole('gridcell', { name: 'second', exact: true }).waitFor()
  assert.equal(await owner.page.getByRole('tab', { name: /Statement 2/ }).getAttribute('aria-selected'), 'true')
})

await step('a link to the third result opens the third result', async () => {
  await owner.page.goto(`${origin}/r/${owner.runInAddress()}`)
  await owner.page.getByRole('gridcell', { name: 'second', exact: true }).waitFor()
  await owner.page.getByRole('tab', { name: /Statement 3/ }).click()
  await owner.page.getByRole('gridcell', { name: 'third', exact: true }).waitFor()
  await owner.button('Copy link').click()
  const link = await owner.page.evaluate(() => navigator.clipboard.readText())
  await owner.page.goto(`${origin}/new`)
  await owner.page.goto(link)
  await owner.page.getByRole('gridcell', { name: 'third', exact: true }).waitFor()
  await owner.page.goto(`${origin}/new`)
})

await step('a write is refused as long as only reading was allowed', async () => {
  await owner.write('update shop.big set n = n + 1 returning id, n')
  await owner.run()
  await trouble.waitFor()
  assert.equal(await sql('select sum(n) from shop.big'), '0')
  return (await trouble.innerText()).replaceAll(/\s+/g, ' ')
})
await step('a write that returns more than the limit is done whole, and shown as cut', async () => {
  await owner.page.getByRole('radio', { name: 'Read and write' }).check()
  await owner.page.getByLabel('Row limit').selectOption('1000')
  await owner.run()
  await owner.page.getByText(/First 1.000 rows only: the row limit was reached/).waitFor()
  assert.equal(await sql('select sum(n) from shop.big'), '5000')
  const { body } = await owner.api('GET', `/runs/r_${owner.runInAddress()}`)
  assert.equal(body.state, 'succeeded')
  assert.deepEqual(body.statements[0].result.truncated, { by: 'max_rows', limit: 1000 })
  assert.equal(body.statements[0].result.row_count, 1000)
  assert.equal(body.statements[0].result.command_tag, 'UPDATE 5000')
  await owner.axe('a cut result')
})
await end()
