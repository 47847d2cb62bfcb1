// Coming in and being put out.
import { strict as assert } from 'node:assert'
import { cli, end, origin, Person, step } from './stage.mjs'

const password = 'correct horse battery staple'
let person

await step('a link works once', async () => {
  person = await Person.come('vera')
  person.expected = [401] // the page asks who is there
  await person.page.goto(`${origin}/`)
  await person.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await person.axe('sign-in')
  const link = await cli('user', 'link', 'vera')
  await person.page.goto(link)
  await person.page.getByRole('heading', { name: 'Choose a password' }).waitFor()
  await person.axe('choose a password')
  await person.page.getByLabel('New password').fill(password)
  await person.button('Save').click()
  await person.page.getByRole('navigation', { name: 'Main' }).waitFor()
  const again = await Person.come('nobody')
  again.expected = [401]
  await again.page.goto(link)
  await again.page.getByText('This link was used already or is too old.').waitFor()
})
await step('signing out ends the session on the server', async () => {
  const [cookie] = await person.context.cookies()
  person.expected = [401]
  await person.page.getByRole('button', { name: /Account of/ }).click()
  await person.page.getByRole('menuitem', { name: 'Sign out' }).click()
  await person.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  assert.equal((await person.api('GET', '/me')).status, 401)
  await person.context.addCookies([cookie]) // somebody kept a copy
  assert.equal((await person.api('GET', '/me')).status, 401)
  await person.context.clearCookies()
})
await step('a deep link leads through sign-in by password, and on', async () => {
  await person.page.goto(`${origin}/history?state=failed`)
  await person.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await person.page.getByLabel('Login').fill('vera')
  await person.page.getByLabel('Password').fill('wrong ' + password)
  await person.button('Sign in').click()
  await person.page.getByText('Login or password is wrong.').waitFor()
  await person.page.getByLabel('Password').fill(password)
  await person.button('Sign in').click()
  await person.page.waitForURL(`${origin}/history?state=failed`)
  await person.page.getByRole('heading', { name: 'History' }).waitFor()
})
await step('disabled while the page is open: out within ten seconds', async () => {
  await person.page.goto(origin + '/library')
  await person.page.getByRole('heading', { name: 'Library' }).waitFor()
  await person.page.getByText('No run of yours is active').waitFor() // the stream stands
  person.expected = [401, 403]
  const began = Date.now()
  await cli('user', 'disable', 'vera')
  await person.page.getByRole('heading', { name: 'Sign in' }).waitFor({ timeout: 10000 })
  const took = Date.now() - began
  await person.page.getByLabel('Login').fill('vera')
  await person.page.getByLabel('Password').fill(password)
  await person.button('Sign in').click()
  await person.page.getByText('Login or password is wrong.').waitFor()
  await cli('user', 'enable', 'vera')
  return `${took} ms`
})
await step('an admin of all warehouses decides about people; it is granted in the page', async () => {
  const ada = await Person.signIn('ada')
  const pete = await Person.signIn('pete')
  assert.equal((await pete.api('POST', '/teams', { name: 'too-early' })).status, 403)
  await ada.page.goto(`${origin}/people`)
  await ada.page.getByRole('tab', { name: 'Grants' }).click()
  await ada.button('Add grant').click()
  await ada.page.getByLabel('Who').selectOption('pete')
  await ada.page.getByLabel('Role').selectOption('admin')
  await ada.page.getByText('Of this warehouse only.').waitFor()
  await ada.page.getByLabel('Warehouse', { exact: true }).selectOption('All warehouses (*)')
  await ada.page.getByText('Decides about people, teams and grants.').waitFor()
  await ada.axe('a grant')
  await ada.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await ada.page.getByRole('row', { name: /pete All warehouses \(\*\) admin/ }).waitFor()
  assert.equal((await pete.api('POST', '/teams', { name: 'in-time' })).status, 201)
  await ada.button('Delete pete admin').click() // he is a stranger to the other scripts
  await ada.page.getByRole('row', { name: /pete All warehouses/ }).waitFor({ state: 'detached' })
  assert.equal((await pete.api('POST', '/teams', { name: 'too-late' })).status, 403)
})
await end()
