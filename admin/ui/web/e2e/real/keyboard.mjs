// All of a day's work without a mouse: no click, no focus by the script, only keys.
import { strict as assert } from 'node:assert'
import { end, origin, Person, step } from './stage.mjs'

const password = 'a staple battery is correct'
const person = await Person.signIn('pete', { password })
const { page } = person
const { keyboard } = page
const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.getAttribute('name') ?? document.activeElement?.tagName)

await step('sign in', async () => {
  await person.context.clearCookies()
  person.expected = [401]
  await page.goto(origin + '/')
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('Login').and(page.locator(':focus')).waitFor()
  await keyboard.type('pete')
  await keyboard.press('Tab')
  await keyboard.type(password)
  await keyboard.press('Enter')
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
  person.expected = []
})
await step('to a new query by the palette', async () => {
  await page.getByText('No run of yours is active').waitFor()
  await keyboard.press('Control+k')
  await page.getByRole('combobox').and(page.locator(':focus')).waitFor()
  await person.axe('palette')
  await keyboard.type('new q')
  await page.getByRole('option', { name: 'New query' }).and(page.locator('[aria-selected=true]')).waitFor()
  await keyboard.press('Enter')
  await page.waitForURL(/\/new/)
  await page.getByRole('textbox', { name: 'SQL editor' }).and(page.locator(':focus')).waitFor()
})
await step('run', async () => {
  await keyboard.type('select 6 * 7 as answer')
  await keyboard.press('Control+Enter')
  await page.getByRole('gridcell', { name: '42', exact: true }).waitFor()
  assert.equal(await focused(), 'SQL editor', 'the focus stays in the text')
})
await step('what is selected is typed over, brackets and all', async () => {
  const over = async (keys, text, all) => {
    for (const key of keys) await keyboard.press(key)
    await keyboard.type(text)
    await keyboard.press('Escape') // what is proposed
    await page.waitForFunction((t) => document.querySelector('[role=textbox][aria-label="SQL editor"]')?.innerText === t, all)
  }
  await over(['Control+a'], 'select 6', 'select 6')
  await over(['Shift+Home'], 'x', 'x')
  await over(['Control+a'], 'select 1,\nselect', 'select 1,\nselect')
  await over(['Shift+ArrowUp'], '2', 'select2')
  await over(['Shift+ArrowLeft'], '(', 'select(2)')
  await keyboard.press('Control+z')
  await over([], '', 'select2')
})
await step('cancel', async () => {
  await keyboard.press('Control+a')
  await keyboard.type('select pg_sleep(63)')
  await keyboard.press('Control+Enter')
  await page.getByRole('status').filter({ hasText: 'Running' }).first().waitFor()
  await keyboard.press('Control+.')
  await page.getByText('Canceled by pete').waitFor()
})
await step('save', async () => {
  await keyboard.press('Control+s')
  await page.getByRole('dialog').waitFor()
  await person.axe('save dialog')
  await page.getByLabel('Name', { exact: true }).and(page.locator(':focus')).waitFor()
  await keyboard.press('Control+a')
  await keyboard.type('A long sleep')
  await keyboard.press('Enter')
  await page.getByText('Saved as version 1').waitFor()
})
await step('leave the editor, and reach the rail by Tab alone', async () => {
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page.goto(origin + '/library')
  await page.getByRole('link', { name: 'A long sleep' }).waitFor()
  await keyboard.press('Tab')
  await page.getByRole('link', { name: 'Skip to content' }).and(page.locator(':focus')).waitFor()
  for (let i = 0; i < 4 && !(await page.getByRole('link', { name: 'Query', exact: true }).and(page.locator(':focus')).count()); i++) await keyboard.press('Tab')
  await keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'SQL editor' }).and(page.locator(':focus')).waitFor()
  await keyboard.press('Tab')
  await page.getByRole('textbox', { name: 'SQL editor' }).and(page.locator(':focus')).waitFor() // Tab indents
  await keyboard.press('Escape')
  await keyboard.press('Tab')
  await page.getByRole('separator', { name: 'SQL editor' }).and(page.locator(':focus')).waitFor()
  await keyboard.press('Tab')
  await page.getByRole('button', { name: 'Run', exact: true }).and(page.locator(':focus')).waitFor()
})
await step('find the saved query by its name', async () => {
  await keyboard.press('Control+k')
  await keyboard.type('long sleep')
  await page.getByRole('option', { name: /A long sleep/ }).and(page.locator('[aria-selected=true]')).waitFor()
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'A long sleep' }).waitFor()
})
await step('the sheet of keys opens by ? and shuts by Escape', async () => {
  await page.goto(origin + '/history')
  await page.getByRole('heading', { name: 'History' }).waitFor()
  await keyboard.press('?')
  await page.getByRole('dialog').getByText('Run the statement at the cursor').waitFor()
  await person.axe('keys')
  await keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
})
await end()
