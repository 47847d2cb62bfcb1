// Coming in by the identity provider, and being put out when it says so.
import { strict as assert } from 'node:assert'
import { end, eventually, groups, origin, Person, provider, step } from './stage.mjs'

const p = await Person.come('ines')
const signIn = p.page.getByRole('heading', { name: 'Sign in', exact: true })
const fields = () => ({ login: p.page.getByPlaceholder('Enter any login'), password: p.page.getByPlaceholder('and password') })

await step('the button leads to the provider, and back to where one wanted to be', async () => {
  p.expected = [401] // the page asks who is there
  await p.page.goto(`${origin}/history?state=failed`)
  await signIn.waitFor()
  const button = p.page.getByRole('link', { name: 'Continue with Example SSO' })
  await button.waitFor()
  await p.axe('sign-in with a provider')
  await button.click()
  await p.page.waitForURL((u) => u.origin === provider)
  assert.notEqual(provider, origin)
  await fields().login.fill('ines')
  await fields().password.fill('any')
  await p.page.getByRole('button', { name: 'Sign-in' }).click()
  await p.page.getByRole('button', { name: 'Continue' }).click() // consent
  await p.page.waitForURL(`${origin}/history?state=failed`)
  await p.page.getByRole('heading', { name: 'History' }).waitFor()
  p.expected = []
  const [cookie, ...others] = (await p.context.cookies(origin)).filter((c) => c.name.startsWith('lk'))
  assert.ok(cookie?.name === 'lksid' && cookie.httpOnly && cookie.sameSite === 'Lax' && others.length === 0, JSON.stringify([cookie, ...others]))
})
await step('a query runs', async () => {
  await p.write('select id, buyer from shop.orders order by id limit 2')
  const run = await p.run()
  assert.deepEqual(await p.cells(), [['1', 'buyer 1'], ['2', 'buyer 2']])
  assert.deepEqual(await p.rows(run), [['1', 'buyer 1'], ['2', 'buyer 2']])
})
await step('other groups, other teams: nobody has to sign in again', async () => {
  await p.page.goto(`${origin}/library`)
  await p.page.getByText('No run of yours is active').waitFor() // the stream stands
  await groups('ines', 'lk', 'shop')
  await eventually('the team follows', () => p.api('GET', '/me'), (a) => a.body.teams?.includes('shop'))
  assert.equal(p.page.url(), `${origin}/library`)
})
await step('the provider takes the group: the page goes to sign-in and says why', async () => {
  p.expected = [401]
  const began = Date.now()
  await groups('ines', 'others')
  await signIn.waitFor({ timeout: 10000 })
  const took = Date.now() - began
  await p.page.getByRole('status').filter({ hasText: 'You were signed out: your identity provider no longer lists you in the group that may use Lockkeeper.' }).waitFor()
  assert.equal(new URL(p.page.url()).searchParams.get('return_to'), '/library')
  assert.equal((await p.api('GET', '/me')).status, 401)
  await p.axe('put out')
  assert.ok(took < 6000, `${took} ms`)
  return `${took} ms, asked every second`
})
await step('signing in again is refused, in plain words', async () => {
  await p.page.getByRole('link', { name: 'Continue with Example SSO' }).click()
  const consent = p.page.getByRole('button', { name: 'Continue', exact: true })
  const refused = p.page.getByRole('alert').filter({ hasText: 'Your identity provider knows you, but you are not in the group that may use Lockkeeper. Ask an administrator to add you to it.' })
  await consent.or(refused).first().waitFor()
  if (await consent.isVisible()) await consent.click()
  await refused.waitFor()
  assert.equal(new URL(p.page.url()).origin, origin)
  assert.equal((await p.api('GET', '/me')).status, 401)
  await p.axe('refused at the provider')
  return (await refused.innerText()).replaceAll(/\s+/g, ' ')
})
await step('with the group again the same button leads in', async () => {
  await groups('ines', 'lk')
  await p.page.getByRole('link', { name: 'Continue with Example SSO' }).click()
  await p.page.getByRole('button', { name: 'Continue', exact: true }).click()
  await p.page.getByRole('navigation', { name: 'Main' }).waitFor()
  p.expected = []
  assert.equal((await p.api('GET', '/me')).body.login, 'ines')
})
await end()
