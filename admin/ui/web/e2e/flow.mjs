// Walks through what a person does, against the mock: signed out to signed in, a new
// text that becomes a draft, runs, cancels, copies, saves. Only roles and names are
// used, as a screen reader has them.
//
//   npm run build && node e2e/flow.mjs
import { strict as assert } from 'node:assert'
import { chromium } from 'playwright-core'
import { serve } from '../mock/server.mjs'

const port = 8095
const origin = `http://127.0.0.1:${port}`
const server = await serve(port)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] })
await context.addCookies([{ name: 'mock', value: 'signedout', url: origin }])
const page = await context.newPage()
page.setDefaultTimeout(20000)
const errors = []
page.on('pageerror', (err) => errors.push(err.stack))
page.on('console', (m) => { if (m.type() === 'error' && !/status of 401/.test(m.text())) errors.push(m.text()) })
const step = async (name, act) => {
  try {
    await act()
    console.log('ok  ', name)
  } catch (err) {
    await page.screenshot({ path: new URL('./out/flow-FAILED.png', import.meta.url).pathname }).catch(() => undefined)
    console.error('FAIL', name, String(err).split('\n').slice(0, 6).join('\n'))
    process.exit(1)
  }
}
const button = (name) => page.getByRole('button', { name, exact: true })
const type = async (text) => {
  await page.getByRole('textbox', { name: 'SQL editor' }).click()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(text)
}
const clipboard = () => page.evaluate(() => navigator.clipboard.readText())

await step('signed out leads to sign-in and back', async () => {
  await page.goto(`${origin}/history?state=failed`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('Login').fill('ana')
  await page.getByLabel('Password').fill('open sesame')
  await button('Sign in').click()
  await page.waitForURL(`${origin}/history?state=failed`)
  await page.getByRole('heading', { name: 'History' }).waitFor()
})
await step('a new text becomes a draft without losing the editor', async () => {
  await button('New query').click()
  await type('select * from fact_enroll')
  await page.waitForURL(/\/d\/[0-9A-Z]{16}$/)
  await page.getByText('Draft saved').waitFor()
  await page.keyboard.insertText(' where id > 3')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('gridcell', { name: '9007199254740993', exact: true }).waitFor()
})
await step('reloading brings text and result back', async () => {
  await page.getByText('Draft saved').waitFor()
  await page.reload()
  await page.getByRole('gridcell', { name: '9007199254740993', exact: true }).waitFor()
  assert.match(await page.getByRole('textbox', { name: 'SQL editor' }).innerText(), /where id > 3/)
})
await step('cells are selected by keys and copied with their header, every digit kept', async () => {
  await page.getByRole('gridcell', { name: '9007199254740993', exact: true }).click()
  await page.keyboard.press('Shift+ArrowDown')
  await page.keyboard.press('Shift+ArrowRight')
  await page.keyboard.press('Control+c')
  await page.getByText('Copied 2 × 2 cells').waitFor()
  assert.equal(await clipboard(), 'id\tenrolled_at\n9007199254740993\t2026-08-01 00:00:00.000+00\n9007199254740994\t2026-08-08 01:13:29.001+00')
})
await step('the header sorts by the keyboard', async () => {
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await page.getByRole('columnheader', { name: /Sort by id/ }).and(page.locator('[aria-sort=ascending]')).waitFor()
})
await step('a run that waits says so, and Cancel stops it', async () => {
  await type('select * from slow')
  await page.keyboard.press('Control+Enter')
  await page.getByText(/Queued: place \d/).waitFor()
  await button('Cancel').click()
  await page.getByText('Canceled by ana').waitFor()
  await button('Run').waitFor()
})
await step('parameters are fields', async () => {
  await type('select day from v_daily where day >= :since')
  await page.getByLabel(':since').fill('2026-08-01')
  const asked = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/runs'))
  await page.keyboard.press('Control+Enter').catch(() => undefined)
  const body = (await asked).postDataJSON()
  assert.deepEqual(body.params, [{ name: 'since', type: 'date', value: '2026-08-01' }])
  assert.equal(body.access, 'read_only')
})
await step('format lays the text out', async () => {
  await type('select a,b from t where x=:p and y::date>1')
  await button('Format').click()
  await page.waitForFunction(() => document.querySelectorAll('.cm-line').length > 3)
  const text = await page.getByRole('textbox', { name: 'SQL editor' }).innerText()
  assert.match(text, /:p/)
  assert.match(text, /y::date/)
})
await step('save makes a query and keeps the editor', async () => {
  await type('select * from v_daily')
  await button('Save').click()
  await page.getByLabel('Name', { exact: true }).fill('My days')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.waitForURL(/\/q\/[0-9A-Z]{16}/)
  await page.getByRole('heading', { name: 'My days' }).waitFor()
  await type('select 1 from v_daily')
  await page.keyboard.press('Control+s')
  await page.getByText('Saved as version 2').waitFor()
})
await step('the rail leads to an empty new text', async () => {
  await page.getByRole('link', { name: 'Query', exact: true }).click()
  await page.waitForURL(/\/new$/)
  await page.getByRole('heading', { name: 'Untitled query' }).waitFor()
  assert.doesNotMatch(await page.getByRole('textbox', { name: 'SQL editor' }).innerText(), /v_daily/)
})
await step('a run is found by its id, and shared by its link', async () => {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('ENR0100000000000')
  await page.getByRole('option', { name: /Open run/ }).waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/r\/ENR0100000000000/)
  await page.getByRole('gridcell').first().waitFor()
  await button('Copy link').click()
  assert.equal(await clipboard(), `${origin}/r/ENR0100000000000`)
})
await step('pin, then delete, leaves a tombstone', async () => {
  await button('More').click()
  await page.getByRole('menuitem', { name: 'Pin' }).click()
  await page.getByText('Pinned: kept for ever').waitFor()
  await button('More').click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('This result was deleted').waitFor()
})
await step('without the event stream a run still ends', async () => {
  await context.addCookies([{ name: 'mock', value: 'nostream', url: origin }])
  await page.goto(`${origin}/new`)
  await type('select * from fact_enroll')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('gridcell').first().waitFor()
})
assert.deepEqual(errors.filter((e) => !/status of 503/.test(e)), [])
console.log('all steps')
await browser.close()
server.closeAllConnections()
server.close()
process.exit(0)
