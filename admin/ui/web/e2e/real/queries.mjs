// The life of a saved query: a draft that keeps its id, the chart and the choices kept
// with it, what a statement would do before it runs, and a version let into a service.
import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, end, eventually, origin, Person, sql, step } from './stage.mjs'

const owner = await Person.signIn('olga')
const mate = await Person.signIn('vera') // in the same team
const { page } = owner
const text = page.getByRole('textbox', { name: 'SQL editor' })
const daily = 'select day, channel, sum(price) as revenue\nfrom shop.sales\nwhere channel = :channel\ngroup by 1, 2\norder by 1'
let id
let run

const saveAgain = async (version) => {
  await page.keyboard.press('Control+s')
  await page.getByText(`Saved as version ${version}`).last().waitFor()
}

await step('a draft keeps its id when it is saved; its address leads to the query', async () => {
  await owner.write(daily)
  await page.waitForURL(/\/d\/[0-9A-Z]{16}/)
  id = /\/d\/([0-9A-Z]{16})/.exec(page.url())[1]
  await page.getByLabel(':channel').fill('web')
  await page.getByText('Draft saved').waitFor()
  await owner.button('Save').click()
  await page.getByLabel('Name', { exact: true }).fill('Revenue of a channel')
  await page.getByLabel('Team', { exact: true }).selectOption('shop')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.getByText('Saved as version 1').waitFor()
  await page.waitForURL(`${origin}/q/${id}`)
  await page.goto(`${origin}/d/${id}`)
  await page.waitForURL(`${origin}/q/${id}`)
  await page.getByRole('heading', { name: 'Revenue of a channel' }).waitFor()
  const { body } = await owner.api('GET', `/queries?mine=true&q=${encodeURIComponent('Revenue of a channel')}`)
  assert.deepEqual(body.items.map((q) => [q.id, q.draft, q.version]), [[`q_${id}`, false, 1]])
  assert.equal(body.items[0].params[0].default, 'web')
})

await step('its team finds it: among the queries of my teams, by its owner, and at home', async () => {
  const stranger = await Person.signIn('nora') // of no team
  for (const [who, sees] of [[mate, true], [stranger, false]]) {
    await who.page.goto(`${origin}/library`)
    await who.page.getByRole('radio', { name: 'My teams' }).check()
    const link = who.page.getByRole('link', { name: 'Revenue of a channel' })
    await (sees ? link : who.page.getByText('No query matches.')).waitFor()
    await who.page.getByRole('radio', { name: 'All' }).check()
    await who.page.getByRole('searchbox').fill('OLGA')
    await (sees ? link : who.page.getByText('No query matches.')).waitFor()
  }
  await mate.api('POST', '/runs', { sql: 'select 1', params: [] }) // who never ran anything is welcomed
  await mate.page.goto(origin + '/')
  await mate.page.getByRole('region', { name: 'From your teams' }).getByRole('link', { name: /Revenue of a channel/ }).waitFor()
  await mate.axe('home')
  await stranger.leave()
})

await step('an address leads to its newest result, once there is one', async () => {
  mate.expected = [404]
  await mate.page.goto(`${origin}/q/${id}/latest`)
  await mate.page.getByText('No result of this query is open to you yet.').waitFor()
  await mate.page.goto(`${origin}/q/0000000000000000/latest`)
  await mate.page.getByText("This doesn't exist or isn't open to you").waitFor()
  mate.expected = []
  const { body } = await owner.api('POST', `/queries/q_${id}/runs`, { params: [] })
  assert.equal(body.state, 'succeeded', JSON.stringify(body))
  await owner.page.goto(`${origin}/q/${id}/latest`)
  await owner.page.waitForURL(`${origin}/r/${body.id.slice(2)}`)
  await owner.page.getByRole('gridcell').first().waitFor()
  await owner.page.goto(`${origin}/q/${id}`)
  await page.getByRole('heading', { name: 'Revenue of a channel' }).waitFor()
})

await step('saved again unchanged, it makes no version', async () => {
  await saveAgain(1)
  assert.equal((await owner.api('GET', `/queries/q_${id}/versions`)).body.items.length, 1)
})

await step('words typed while a save is under way are kept, too', async () => {
  const writer = await Person.signIn('pete')
  await writer.write('select 1')
  await writer.page.waitForURL(/\/d\/[0-9A-Z]{16}/)
  await writer.button('Save').click()
  await writer.page.getByLabel('Name', { exact: true }).fill('Typed while saving')
  await writer.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await writer.page.getByText('Saved as version 1').waitFor()
  await writer.page.waitForURL(/\/q\/[0-9A-Z]{16}/)
  const typed = /\/q\/([0-9A-Z]{16})/.exec(writer.page.url())[1]
  await writer.page.route('**/api/v1/queries/*', async (route) => {
    if (route.request().postDataJSON()?.draft === false) await new Promise((done) => setTimeout(done, 2600)) // longer than the autosave waits
    await route.continue()
  })
  await writer.type('select 2')
  const sent = writer.page.waitForRequest((r) => r.method() === 'PATCH' && r.postDataJSON()?.draft === false)
  await writer.page.keyboard.press('Control+s')
  await sent
  await writer.page.keyboard.insertText(', 3 as typed_meanwhile')
  await writer.page.getByText('Saved as version 2').waitFor()
  const { working, version } = await eventually('they are kept', async () => (await writer.api('GET', `/queries/q_${typed}`)).body, (q) => q.working?.sql.includes('typed_meanwhile'))
  assert.equal(working.sql, 'select 2, 3 as typed_meanwhile')
  assert.equal(version, 2)
  await writer.page.reload()
  await writer.page.getByText('typed_meanwhile').first().waitFor()
  await writer.leave()
})
await step('choices are set in the page, and the office holds to them', async () => {
  await page.getByRole('button', { name: /^What channel may be/ }).click()
  await page.getByLabel('Allowed values, one to a line').fill('shop\nweb\nphone')
  await owner.axe('the menu of a parameter')
  await page.getByLabel('Begins with').selectOption('phone')
  await owner.button('Done').click()
  await saveAgain(2)
  const { body } = await owner.api('GET', `/queries/q_${id}`)
  assert.deepEqual(body.params, [{ name: 'channel', type: 'text', default: 'phone', choices: ['shop', 'web', 'phone'] }])
  const refused = await owner.api('POST', `/queries/q_${id}/runs`, { params: [{ name: 'channel', value: 'partner' }] })
  assert.equal(refused.body.code, 'param-choice')
  await page.reload()
  await page.getByLabel(':channel').waitFor()
  assert.equal(await page.getByLabel(':channel').inputValue(), 'phone')
})

await step('the plan of the statement at the cursor, what it reads, and nothing is run', async () => {
  const before = (await owner.api('GET', '/runs?submitter=me')).body.items.length
  await text.click()
  await page.keyboard.press('Control+e')
  await page.getByText('The policy lets this statement run.').waitFor()
  await page.getByText('shop.sales', { exact: true }).first().waitFor()
  await page.getByText('Seq Scan on sales', { exact: true }).waitFor()
  await owner.axe('a plan')
  assert.equal((await owner.api('GET', '/runs?submitter=me')).body.items.length, before)
})
await step('of a write too, and nothing is written', async () => {
  await page.goto(`${origin}/new`)
  await owner.type('select 1;\ndelete from shop.refunds where id > :id;\nselect 2')
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Control+e')
  await page.getByText('It writes: choose Read and write to run it.').waitFor()
  await page.getByText('Delete on refunds', { exact: true }).waitFor()
  await page.getByText('With NULL for :id').waitFor()
  assert.equal(await sql('select count(*) from shop.refunds'), '9')
})
await step('what the warehouse cannot plan is marked in the text', async () => {
  await owner.type('select 1;\nselect nothing_such from shop.refunds')
  await page.keyboard.press('Control+e')
  await page.getByText('column "nothing_such" does not exist').first().waitFor()
  await page.getByText('line 1, column 8').waitFor()
  assert.equal(await page.locator('.cm-lintRange-error').innerText(), 'nothing_such')
})

await step('a chart is kept with the query', async () => {
  await page.goto(`${origin}/q/${id}`)
  await page.getByLabel(':channel').selectOption('web')
  run = await owner.run()
  await page.getByRole('gridcell').first().waitFor()
  await page.getByRole('tab', { name: 'Chart' }).click()
  await page.locator('.chart-controls').getByLabel('Chart', { exact: true }).selectOption('area')
  await page.getByText('Unsaved edits').waitFor()
  await saveAgain(3)
  const { body } = await owner.api('GET', `/queries/q_${id}/versions`)
  assert.deepEqual(body.items.map((v) => v.chart?.type), ['area', undefined, undefined])
  assert.equal(body.items[0].params[0].default, 'phone', 'the value of a run is not the default')
})
await step('and comes back with it, for the team too, with the text before the editor', async () => {
  for (const who of [owner, mate]) {
    const fetched = []
    who.page.on('request', (r) => fetched.push(new URL(r.url()).pathname))
    await who.page.goto(`${origin}/q/${id}?run=${run}`)
    await who.page.getByRole('img', { name: /revenue by day/ }).waitFor()
    assert.equal(await who.page.locator('.chart-controls').getByLabel('Chart', { exact: true }).inputValue(), 'area')
    assert.equal(await who.page.getByRole('textbox', { name: 'SQL editor' }).inputValue(), daily)
    assert.equal(await who.page.getByLabel(':channel').inputValue(), 'web', 'what the run was asked with')
    assert.equal(fetched.filter((p) => /\/create-/.test(p)).length, 0, 'the editor is not fetched')
    await who.axe('a chart before the editor')
  }
})
await step('who turns to the text gets the editor, and loses no word', async () => {
  await text.focus()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText('\n-- one')
  await page.locator('.cm-content').and(page.locator(':focus')).waitFor()
  await page.keyboard.insertText(' two')
  await page.getByText('-- one two').waitFor()
  await saveAgain(4)
})
await step("a team mate's words stay in their browser until they save them", async () => {
  const answers = []
  mate.page.on('response', (r) => { if (r.request().method() === 'PATCH') answers.push(r.status()) })
  await mate.page.goto(`${origin}/q/${id}`)
  await mate.type(daily + ' desc')
  await mate.page.getByText('Unsaved edits').waitFor()
  await mate.page.reload()
  await mate.page.getByText('This browser holds a newer text than the server.').waitFor()
  await mate.button('Use it').click()
  await mate.page.keyboard.press('Control+s')
  await mate.page.getByText('Saved as version 5').waitFor()
  assert.deepEqual(answers, [200])
})
await step('and the owner, who has an older text open, is told so', async () => {
  owner.expected = [412]
  await text.click()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText(' three')
  await page.getByText('This query was changed elsewhere.').waitFor()
  await owner.button('Load that text').click()
  await page.getByText('order by 1 desc').waitFor()
  owner.expected = []
})

await step('a version is released to a service, its difference seen', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lk-'))
  writeFileSync(join(folder, 'secret'), 'shop_ro\n', { mode: 0o600 })
  await cli('service', 'add', 'reporter', '--team', 'shop')
  await cli('grant', 'add', '--to', 'service:reporter', '--warehouse-login', 'shop_ro', '--password-file', join(folder, 'secret'))
  rmSync(folder, { recursive: true })
  const token = (await cli('token', 'add', 'weekly', '--service', 'reporter', '--query', `q_${id}@2`, '--days', '1')).trim()
  const version = async () => {
    const answer = await fetch(`${origin}/api/v1/queries/q_${id}/runs`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: '{}' })
    return (await answer.json()).query?.version
  }
  assert.equal(await version(), 2)
  await page.reload()
  await owner.button('Versions').click()
  await page.getByRole('button', { name: /^Version 2.*runs in reporter/ }).waitFor() // what its token was made for
  await page.getByRole('button', { name: /^Version 5/ }).click()
  await owner.button('Release to…').click()
  await page.getByRole('menuitem', { name: 'reporter' }).click()
  await page.getByText('run version 2 now').waitFor()
  await page.getByText('A release cannot be taken back.').waitFor()
  await page.getByRole('region', { name: 'What changes for the service' }).getByText('order by 1 desc').waitFor()
  await owner.axe('a release')
  await owner.button('Release version 5').click()
  await page.getByText('Version 5 runs in reporter from now on').waitFor()
  await page.getByRole('button', { name: /^Version 5.*runs in reporter/ }).waitFor()
  assert.equal(await page.getByText('runs in reporter', { exact: true }).count(), 1)
  assert.equal(await version(), 5)
})
await step('a lower version is not offered as if it ran then', async () => {
  const { status, body } = await owner.api('POST', `/queries/q_${id}/release`, { version: 3, service: 'reporter' })
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(body.released.map((r) => r.version), [3, 5])
  await page.reload()
  await owner.button('Versions').click()
  await page.getByRole('button', { name: /^Version 5.*runs in reporter/ }).waitFor()
  await page.getByRole('button', { name: /^Version 4/ }).click()
  await owner.button('Release to…').click()
  await page.getByRole('menuitem', { name: 'reporter' }).click()
  await page.getByText('Version 5 runs in reporter already, and of several versions the highest runs.').waitFor()
  assert.ok(await owner.button('Release version 4').isDisabled())
})

/** Presses Run again on the page of a run; the run that begins. */
const again = async (who, begun) => {
  assert.equal(begun.body.state, 'succeeded', JSON.stringify(begun.body))
  await who.page.goto(`${origin}/r/${begun.body.id.slice(2)}`)
  await who.button('Run again').click()
  await who.page.waitForURL((u) => u.pathname.startsWith('/r/') && !u.pathname.includes(begun.body.id.slice(2)))
  return (await who.api('GET', `/runs/r_${/\/r\/([0-9A-Z]{16})/.exec(who.page.url())[1]}`)).body
}
await step('a run of a version runs again as that version, with its limit', async () => {
  const next = await again(owner, await owner.api('POST', `/queries/q_${id}/runs`, { version: 2, limits: { max_rows: 3 }, params: [{ name: 'channel', value: 'web' }] }))
  assert.deepEqual([next.query.id, next.query.version, next.limits.max_rows, next.params[0].value], [`q_${id}`, 2, 3, 'web'])
})
await step('and as its text where the query is no longer open', async () => {
  const begun = await mate.api('POST', `/queries/q_${id}/runs`, { version: 2, params: [{ name: 'channel', value: 'web' }] })
  const share = async (team) => {
    const { body } = await owner.api('GET', `/queries/q_${id}`)
    assert.equal((await owner.api('PATCH', `/queries/q_${id}`, { team }, { 'If-Match': `"v${body.rev}"` })).status, 200)
  }
  await share(null)
  mate.expected = [404]
  const next = await again(mate, begun)
  mate.expected = []
  assert.deepEqual([next.query, next.sql], [null, begun.body.sql])
  await share('shop')
})
await step('a run of a draft runs again as it was, whatever the draft says by now', async () => {
  const { body } = await owner.api('POST', '/queries', { sql: "select 'before' as one", draft: true })
  const begun = await owner.api('POST', `/queries/${body.id}/runs`, {})
  assert.equal((await owner.api('PATCH', `/queries/${body.id}`, { sql: "select 'after' as one" }, { 'If-Match': `"v${body.rev}"` })).status, 200)
  assert.equal((await again(owner, begun)).sql, "select 'before' as one")
})
await end()
