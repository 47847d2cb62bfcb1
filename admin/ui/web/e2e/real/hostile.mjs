// What people and the warehouse write is text on every page, whatever it looks like:
// the names of tables and columns, cells, titles, tags, descriptions, errors and
// notices. Each page that shows some is visited, must show it, and must not have made
// an element of it; and the page's way back after signing in leads to the page only.
// Last, what the page read of a result stands in the record, read by read.
import { strict as assert } from 'node:assert'
import { end, eventually, fault, origin, Person, reads, sql, step } from './stage.mjs'

const bait = (where) => `<img src=x data-struck=${where} onerror=window.struck='${where}'>`
const quoted = (text) => `'${text.replaceAll("'", "''")}'`
const named = (text) => `"${text.replaceAll('"', '""')}"`
const table = `shop.${named('<b data-struck=table>table')}`
const column = named('<b data-struck=column>column')

await sql(`create table ${table} (id int, ${column} text)`)
await sql(`insert into ${table} select i, ${quoted(bait('cell'))} || i % 3 from generate_series(1, 9) i returning 1`)
await sql(`grant select on ${table} to shop_rw, shop_ro`)
await sql(`create function shop.shout() returns int language plpgsql stable as $$ begin raise notice '%', ${quoted(bait('notice'))}; return 1; end $$`)

const olga = await Person.signIn('olga')
const { page } = olga
await olga.context.addInitScript(() => {
  // A handler that ran, or an element that was made and perhaps taken away again.
  window.struckElements = []
  let struck
  Object.defineProperty(window, 'struck', { get: () => struck, set: (v) => { struck = v; console.error(`STRUCK: a handler ran: ${v}`) } })
  new MutationObserver(() => {
    for (const e of document.querySelectorAll('[data-struck]')) window.struckElements.push(e.dataset.struck)
  }).observe(document, { subtree: true, childList: true, attributes: true })
})

const sure = async (answer, ...statuses) => { const a = await answer; assert.ok(statuses.includes(a.status), JSON.stringify(a)); return a.body }
const ended = async (body) => {
  const run = await sure(olga.api('POST', '/runs', { params: [], title: bait('title'), ...body }), 201, 202)
  return (await eventually('the run ends', () => olga.api('GET', `/runs/${run.id}`), (a) => !['queued', 'running'].includes(a.body.state))).body
}
const short = (id) => id.slice(2)
const text = `select * from ${table} -- ${bait('sql')}`
const rows = await ended({ sql: text })
assert.equal(rows.state, 'succeeded', JSON.stringify(rows.error))
const failed = await ended({ sql: `select ${quoted(bait('error'))}::int` })
assert.match(failed.error.message, /data-struck=error/)
const shouting = await ended({ sql: 'select shop.shout()' })
assert.match(JSON.stringify(shouting.statements[0].notices), /data-struck=notice/)
const query = await sure(olga.api('POST', '/queries', { title: bait('title'), description: bait('description'), sql: text, params: [], tags: ['<i data-struck=tag>'], team: 'shop', draft: false, target: 'warehouse' }), 201)
await sure(olga.api('PATCH', `/queries/${query.id}`, { sql: text + '\n-- again' }, { 'If-Match': '"v1"' }), 200)
const chart = encodeURIComponent(JSON.stringify({ v: 1, type: 'bar', x: column.slice(1, -1), y: [{ col: 'id', agg: 'sum' }] }))

/** The page as it stands shows the baits as text, and made nothing of them. */
const harmless = async (name, ...baits) => {
  for (const bait of baits) {
    await eventually(`${name} shows ${bait}`, () => page.evaluate((b) => {
      const fields = [...document.querySelectorAll('input, textarea')].map((e) => e.value)
      const labels = [...document.querySelectorAll('[aria-label]')].map((e) => e.getAttribute('aria-label'))
      return [document.body.innerText, document.title, ...fields, ...labels].some((t) => t.includes(`data-struck=${b}`))
    }, bait), (shown) => shown)
  }
  const struck = await page.evaluate(() => [window.struck, ...window.struckElements].filter(Boolean))
  if (struck.length) fault(`${name}: rendered as HTML: ${struck.join(', ')}`)
}

for (const [name, path, ...baits] of [
  ['result', `/r/${short(rows.id)}`, 'title', 'column', 'cell'],
  ['chart', `/r/${short(rows.id)}?view=chart&chart=${chart}`, 'title'],
  ['error', `/r/${short(failed.id)}`, 'error'],
  ['notice', `/r/${short(shouting.id)}`],
  ['query', `/q/${short(query.id)}?run=${short(rows.id)}`, 'title', 'sql', 'cell'],
  ['version', `/q/${short(query.id)}/v/1`, 'sql'],
  ['home', '/', 'title'],
  ['library', '/library', 'title', 'tag'],
  ['history', '/history', 'title'],
]) {
  await step(name, async () => {
    await page.goto(origin + path)
    if (name === 'chart') {
      await page.getByRole('img', { name: /by/ }).waitFor()
      await page.mouse.move(500, 450) // the tooltip speaks the cells
      await page.mouse.move(620, 470)
    }
    if (name === 'notice') await page.locator('details.notices summary').click()
    await harmless(name, ...baits, ...(name === 'notice' ? ['notice'] : []))
  })
}
await step('versions and their difference', async () => {
  await page.goto(`${origin}/q/${short(query.id)}`)
  await page.getByRole('textbox', { name: 'SQL editor' }).waitFor()
  await olga.button('Versions').click()
  await page.getByRole('list', { name: 'Versions' }).waitFor()
  await harmless('versions', 'sql')
  await page.keyboard.press('Escape')
})
await step('the palette', async () => {
  await page.goto(origin + '/')
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('data-struck')
  await page.getByRole('option').filter({ hasText: 'data-struck=title' }).first().waitFor()
  await harmless('palette', 'title')
  await page.keyboard.press('Escape')
})
await step('the tree of tables, and the completion', async () => {
  await page.goto(origin + '/new')
  await page.getByRole('textbox', { name: 'SQL editor' }).waitFor()
  const schema = page.getByRole('treeitem', { name: /^shop/ }).first()
  await schema.waitFor()
  if (await schema.getAttribute('aria-expanded') !== 'true') await schema.click()
  await page.getByRole('treeitem', { name: /data-struck=table/ }).first().click()
  await harmless('tree', 'table', 'column')
  await olga.type('select * from shop.')
  await page.keyboard.press('Control+Space')
  await page.locator('.cm-tooltip-autocomplete li').filter({ hasText: 'data-struck=table' }).first().waitFor()
  await harmless('completion', 'table')
  await page.keyboard.press('Escape')
})
await step('the way back after signing in leads to the page only', async () => {
  const password = 'a battery is a correct staple'
  const vera = await Person.signIn('vera', { password })
  vera.expected = [401]
  for (const to of ['https://evil.example/', '//evil.example/', '/\\evil.example/', '\\\\evil.example', '/\t/evil.example', 'javascript:window.struck=1', '/%09/evil.example', '/signin?return_to=//evil.example', '/history']) {
    await vera.context.clearCookies()
    await vera.page.goto(`${origin}/signin?return_to=${encodeURIComponent(to)}`)
    await vera.page.getByLabel('Login').fill('vera')
    await vera.page.getByLabel('Password').fill(password)
    await vera.button('Sign in').click()
    await vera.page.waitForURL((u) => u.pathname !== '/signin', { waitUntil: 'load' })
    const at = new URL(vera.page.url())
    assert.equal(at.origin, origin, `${to} leads to ${at}`)
    if (to === '/history') assert.equal(at.pathname, '/history')
  }
  await vera.leave()
})
await step('each read of the page stands in the record', async () => {
  const counted = await ended({ sql: 'select i as n, chr(97 + i % 7) as letter from generate_series(1, 3000) i' })
  assert.equal(await reads(counted.id), 0)
  // The page takes back what it no longer needs: such a request may be recorded and
  // never be answered. No answer is without a record, and no record without a request:
  // one that scrolling or the reload takes back at once may reach the server and not
  // be told to us. That each read makes one record is counted by the API's own test.
  let asked = 0
  let answered = 0
  const ours = (r) => new URL(r.url()).pathname.includes(counted.id) && /\/(rows|aggregate)$/.test(new URL(r.url()).pathname)
  page.on('request', (r) => { if (ours(r)) asked++ })
  page.on('response', (r) => { if (ours(r)) answered++ })
  const read = async () => ({ records: await reads(counted.id), asked, answered })
  const holds = (n) => n.answered <= n.records && n.records <= n.asked + 1
  await page.goto(`${origin}/r/${short(counted.id)}`)
  await olga.cells()
  for (const at of [20000, 40000, 60000]) {
    await page.getByRole('grid').evaluate((g, y) => { (g.scrollHeight > g.clientHeight ? g : g.querySelector('*') ?? g).scrollTop = y; g.scrollTop = y }, at)
    await page.getByRole('img', { name: 'loading' }).first().waitFor({ state: 'detached' })
  }
  await eventually('as many records as reads', read, holds)
  await page.reload()
  await olga.cells()
  await page.getByRole('tab', { name: 'Chart' }).click()
  await page.getByRole('img', { name: /by letter/ }).waitFor()
  const { records } = await eventually('as many records as reads', read, holds)
  assert.ok(answered >= 4, `only ${answered} reads`)
  return `${asked} reads, ${answered} answered, ${records} records`
})
await end()
