// Every page in its good states: one h1, never wider than the screen, no serious
// barrier, and no more JavaScript on a first load than the budget says (gzip, as it
// was transferred). With LK_SHOTS=folder it takes pictures, in both lights and widths.
import { scrollsByAHair } from '../hair.mjs'
import { end, eventually, fault, origin, Person, step } from './stage.mjs'

const shots = process.env.LK_SHOTS
const wide = { width: 1440, height: 900 }
const narrow = { width: 390, height: 844 }
const looks = shots ? [[wide, 'light'], [wide, 'dark'], [narrow, 'light'], [narrow, 'dark']] : [[wide, 'light'], [narrow, 'dark']]

const ada = await Person.signIn('ada')
const quin = await Person.signIn('quin')
const ask = async (who, body) => (await who.api('POST', '/runs', { params: [], title: '', ...body })).body
const short = (id) => id.slice(2)
const ended = async (who, run) => short((await eventually('the run ends', () => who.api('GET', `/runs/${run.id}`), (a) => !['queued', 'running'].includes(a.body.state))).body.id)

// What there is to see.
const daily = `select day, channel, count(*) as sales, sum(price) as revenue\nfrom shop.sales\nwhere day >= date '2026-09-01'\ngroup by day, channel\norder by day, channel`
const table = await ended(ada, await ask(ada, { sql: daily, title: 'Sales a day and channel' }))
const failed = await ended(ada, await ask(ada, { sql: 'select day,\n  chanel\nfrom shop.sales' }))
await ended(ada, await ask(ada, { sql: "update shop.sales set price = price where day = date '2026-09-02'", access: 'read_write' }))
const saved = short((await ada.api('POST', '/queries', { title: 'Sales a day and channel', description: 'What the shop sold', sql: daily, params: [], tags: ['weekly'], team: 'shop', draft: false, target: 'warehouse' })).body.id)
await ada.api('PUT', `/queries/q_${saved}/star`)
const charted = short((await ada.api('POST', '/queries', { title: 'Revenue, charted', sql: daily, params: [], chart: { v: 1, type: 'bar', x: 'channel', y: [{ col: 'revenue', agg: 'sum' }] }, tags: [], team: null, draft: false, target: 'warehouse' })).body.id)
await ada.api('POST', '/queries', { title: 'Refunds by month', sql: 'select * from shop.refunds', params: [], tags: [], team: null, draft: false, target: 'warehouse' })
const draft = short((await ada.api('POST', '/queries', { title: '', sql: daily, params: [], tags: [], team: null, draft: true, target: 'warehouse' })).body.id)
const chart = encodeURIComponent('{"v":1,"type":"line","x":"day","series":"channel","y":[{"col":"revenue","agg":"sum"}]}')
const holder = await ask(quin, { sql: 'select pg_sleep(300)' })
await eventually('the slot is taken', () => quin.api('GET', `/runs/${holder.id}`), (a) => a.body.state === 'running')
const waiting = short((await ask(quin, { sql: daily, title: 'Sales a day and channel' })).id)
await eventually('one waits', () => quin.api('GET', `/runs/r_${waiting}`), (a) => a.body.wait?.position === 1)

const anybody = null
const pages = [
  ['signin', anybody, '/signin', 240, (p) => p.getByRole('button', { name: 'Sign in' })],
  ['home', ada, '/', 450, (p) => p.getByRole('link', { name: /Refunds|Sales a day/ }).first()],
  ['query', ada, `/d/${draft}`, 420, (p) => p.getByRole('textbox', { name: 'SQL editor' }).getByText('group by')],
  ['result', ada, `/q/${saved}?run=${table}`, 420, (p) => p.getByRole('gridcell').first()],
  ['chart', ada, `/q/${saved}?run=${table}&view=chart&chart=${chart}`, 450, (p) => p.getByRole('img', { name: /revenue by day/ })],
  ['chart-kept', ada, `/q/${charted}?run=${table}`, 450, (p) => p.getByRole('img', { name: /revenue by channel/ })],
  ['error', ada, `/d/${draft}?run=${failed}`, 420, (p) => p.getByRole('alert')],
  ['waiting', quin, `/new?sql=${encodeURIComponent(daily)}&run=${waiting}`, 420, (p) => p.getByText(/Queued: place 1/)],
  ['run', ada, `/r/${table}`, 240, (p) => p.getByRole('gridcell').first()],
  ['run-chart', ada, `/r/${table}?chart=${chart}`, 450, (p) => p.getByRole('img', { name: /revenue by day/ })],
  ['run-waiting', quin, `/r/${waiting}`, 240, (p) => p.getByText(/Queued: place 1/)],
  ['run-failed', ada, `/r/${failed}`, 240, (p) => p.getByRole('alert')],
  ['library', ada, '/library', 450, (p) => p.getByRole('link', { name: 'Refunds by month' })],
  ['history', ada, '/history', 450, (p) => p.getByText('Sales a day and channel').first()],
  ['connect', ada, '/connect', 450, (p) => p.getByText(/psql "postgres/)],
  ['people', ada, '/people', 450, (p) => p.getByText('Vera Reader')],
]

const only = process.env.LK_PAGE ?? ''
for (const [name, who, path, budget, at] of pages.filter((p) => p[0].includes(only))) {
  await step(name, async () => {
    let kb = 0
    for (const [viewport, colorScheme] of looks) {
      const visitor = await Person.come(`${name} ${viewport.width} ${colorScheme}`, { viewport, colorScheme, hasTouch: viewport === narrow, ...(who ? { storageState: await who.context.storageState() } : {}) })
      const { page } = visitor
      const scripts = []
      page.on('requestfinished', (r) => { if (/\.js$/.test(new URL(r.url()).pathname)) scripts.push(r.sizes().then((s) => s.responseBodySize, () => 0)) })
      await page.goto(origin + path)
      await at(page).waitFor()
      await page.waitForTimeout(400) // what the page fetches ahead counts too; transitions end
      kb = (await Promise.all(scripts)).reduce((n, s) => n + s, 0) / 1000
      if (kb === 0) fault(`${name}: no JavaScript was counted`)
      if (kb > budget) fault(`${name}: ${kb.toFixed(1)} KB of JavaScript, ${budget} allowed`)
      if (shots) await page.screenshot({ path: `${shots}/${name}-${viewport.width}-${colorScheme}.png` })
      const h1 = await page.locator('h1').count()
      if (h1 !== 1) fault(`${visitor.login}: ${h1} h1 headings`)
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (over > 0) fault(`${visitor.login}: wider than the screen by ${over} px`)
      for (const box of await page.evaluate(scrollsByAHair)) fault(`${visitor.login}: ${box}`)
      await visitor.axe(visitor.login)
      await visitor.leave()
    }
    return `${kb.toFixed(1)} KB of JavaScript`
  })
}
await quin.api('POST', `/runs/${holder.id}/cancel`, {})
await quin.api('POST', `/runs/r_${waiting}/cancel`, {})
await end()
