// Opens every page against the mock office in Chromium, in both lights and two
// widths, takes a picture of each, and fails on any console error, any breach of
// the Content-Security-Policy, any request to another host, and (axe) any serious
// barrier. The pictures lie in e2e/out.
//
//   npm run build && npm run look [part of a picture's name]
//
// LOOK_FROM, LOOK_TO and LOOK_IN=light cut the list, for a machine with little time.
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve } from '../mock/server.mjs'
import { scrollsByAHair } from './hair.mjs'

const only = process.argv[2] ?? ''
const out = fileURLToPath(new URL('./out/', import.meta.url))
if (!only && !process.env.LOOK_FROM) rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const port = 8097
const server = await serve(port)
const origin = `http://127.0.0.1:${port}`
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], ignoreDefaultArgs: ['--hide-scrollbars'] })

const wide = { width: 1440, height: 900 }
const narrow = { width: 390, height: 844 }
const faults = []

/** One look: a page in one world, what to do there, and the lights and widths to see it in. */
const looks = [
  { name: 'signin', path: '/signin', world: 'signedout', at: (p) => p.getByRole('button', { name: 'Sign in' }) },
  { name: 'signin-wrong', path: '/signin', world: 'signedout', sizes: [wide], expect401: true, act: async (p) => { await p.getByLabel('Login').fill('ana'); await p.getByLabel('Password').fill('no'); await p.getByRole('button', { name: 'Sign in' }).click(); await p.getByRole('alert').waitFor() } },
  { name: 'signin-link', path: '/signin#link=GOOD', world: 'signedout', sizes: [wide], at: (p) => p.getByRole('heading', { name: 'Choose a password' }) },
  { name: 'home', path: '/', act: (p) => p.getByRole('region', { name: 'From your teams' }).getByRole('link', { name: /Enrolments by channel/ }).waitFor(), at: (p) => p.getByText('Running run').first() },
  { name: 'home-first-time', path: '/', world: 'empty', at: (p) => p.getByRole('heading', { name: /Welcome/ }) },
  { name: 'home-no-warehouse', path: '/', world: 'notarget', sizes: [wide], at: (p) => p.getByText(/no warehouse is open/) },
  { name: 'home-error', path: '/', world: 'error', sizes: [wide], at: (p) => p.getByRole('alert').first(), expectErrors: true },
  { name: 'home-loading', path: '/', world: 'slow', sizes: [wide], at: (p) => p.getByRole('status', { name: 'Loading…' }).first() },
  { name: 'query-new', path: '/new', at: (p) => p.getByRole('textbox', { name: 'SQL editor' }) },
  { name: 'query-draft', path: '/d/DRAFT00000000000', at: (p) => p.getByLabel(':since') },
  {
    name: 'query-result', path: '/d/DRAFT00000000000', sizes: [wide, narrow],
    act: async (p) => { await p.getByLabel(':since').waitFor(); await editor(p, "select *\nfrom fact_enroll e\nwhere e.enrolled_at >= :since;\n\nselect * from dim_course limit 10;\n"); await p.keyboard.press('Control+Home'); await p.keyboard.press('Control+Enter'); await p.getByRole('gridcell').first().waitFor(); await p.getByText('Draft saved').waitFor() },
  },
  { name: 'query-complete', path: '/new', sizes: [wide], act: async (p) => { await editor(p, 'select e. from fact_enroll e join dim_course c using (course_id)'); await p.keyboard.press('Home'); for (let i = 0; i < 9; i++) await p.keyboard.press('ArrowRight'); await p.keyboard.press('Control+Space'); await p.getByRole('option', { name: /enrolled_at/ }).waitFor() } },
  { name: 'query-error', path: '/new', sizes: [wide], act: async (p) => { await editor(p, 'select 1;\n\nselect id,\n  no_such.x\nfrom no_such\nwhere id > 3'); await p.keyboard.press('Control+Enter'); await p.getByRole('alert').waitFor() } },
  { name: 'query-waiting', path: '/new', sizes: [wide, narrow], act: async (p) => { await editor(p, 'select * from slow'); await p.keyboard.press('Control+Enter'); await p.getByText(/place \d/).waitFor(); await p.waitForTimeout(1200) } },
  { name: 'query-many', path: '/new', sizes: [wide], act: async (p) => { await editor(p, 'select day, channel, enrolments from v_daily;\nselect one;\nupdate dim_person set country = null;\nselect * from no_such;\nselect 5'); await p.keyboard.press('Control+Shift+Enter'); await p.getByRole('tab', { name: /Statement 5/ }).waitFor(); await p.getByText('42P01').waitFor() } },
  { name: 'query-chart', path: '/q/DA11Y00000000000?run=DA11Y00000000000&view=chart', sizes: [wide, narrow], at: (p) => p.getByRole('img', { name: /enrolments by day/ }) },
  { name: 'query-chart-kept', path: '/q/CHART00000000000?run=DA11Y00000000000', sizes: [wide, narrow], at: (p) => p.getByRole('img', { name: /revenue by channel/ }) },
  { name: 'query-chart-editor', path: '/q/CHART00000000000?run=DA11Y00000000000', sizes: [wide], act: async (p) => { await p.getByRole('img', { name: /revenue by channel/ }).waitFor(); await p.getByRole('textbox', { name: 'SQL editor' }).hover(); await p.locator('.cm-content').waitFor() } },
  { name: 'query-plan', path: '/d/DRAFT00000000000', sizes: [wide, narrow], act: async (p) => { await p.getByLabel(':since').waitFor(); await p.keyboard.press('Control+e'); await p.getByText('Hash Join', { exact: true }).waitFor() } },
  { name: 'query-plan-denied', path: '/new', sizes: [wide], act: async (p) => { await editor(p, 'select email from dim_person where country = :country'); await p.keyboard.press('Control+e'); await p.getByText('The policy refuses this statement.').waitFor() } },
  { name: 'query-plan-error', path: '/new', sizes: [wide, narrow], act: async (p) => { await editor(p, 'update no_such set x = 1'); await p.keyboard.press('Control+e'); await p.getByText('The warehouse gave no plan').waitFor() } },
  { name: 'query-param', path: '/q/CHART00000000000', sizes: [wide, narrow], act: async (p) => { await editor(p, 'select * from v_daily where channel = :channel and day >= :since'); await p.getByRole('button', { name: /^What channel may be/ }).click(); await p.getByLabel('Begins with').waitFor() } },
  { name: 'query-release', path: '/q/DA11Y00000000000', sizes: [wide, narrow], act: async (p) => { await p.getByRole('button', { name: 'Versions' }).click(); await p.getByRole('button', { name: /Version 3/ }).click(); await p.getByRole('button', { name: 'Release to…' }).click(); await p.getByRole('menuitem', { name: 'experiments' }).click(); await p.getByText(/run version 2 now/).waitFor() } },
  { name: 'query-versions', path: '/q/DA11Y00000000000', sizes: [wide], act: async (p) => { await p.getByRole('button', { name: 'Versions' }).click(); await p.getByRole('button', { name: /Version 1/ }).click() } },
  { name: 'query-save', path: '/d/DRAFT00000000000', sizes: [wide, narrow], act: async (p) => { await p.getByRole('button', { name: 'Save' }).click(); await p.getByLabel('Name', { exact: true }).waitFor() } },
  { name: 'query-old-version', path: '/q/DA11Y00000000000/v/1', sizes: [wide], at: (p) => p.getByText(/as it was saved/) },
  { name: 'query-latest', path: '/q/DA11Y00000000000/latest', sizes: [wide], act: (p) => p.waitForURL('**/r/DA11Y00000000000'), at: (p) => p.getByRole('gridcell').first() },
  { name: 'query-latest-none', path: '/q/CHART00000000000/latest', sizes: [wide, narrow], at: (p) => p.getByText('No result of this query is open to you yet.'), expectErrors: true },
  { name: 'query-latest-not-found', path: '/q/N0NE000000000000/latest', sizes: [wide], at: (p) => p.getByText("This doesn't exist or isn't open to you."), expectErrors: true },
  { name: 'query-not-found', path: '/q/N0NE000000000000', sizes: [wide], at: (p) => p.getByText("This doesn't exist or isn't open to you."), expectErrors: true },
  { name: 'run', path: '/r/ENR0100000000000', at: (p) => p.getByRole('gridcell').first() },
  { name: 'run-rows', path: '/r/ENR0100000000000?rows=120-130', sizes: [wide], at: (p) => p.getByText(/11 × 11 selected/) },
  { name: 'run-sorted', path: '/r/ENR0100000000000', sizes: [wide], act: async (p) => { await p.getByRole('button', { name: /Sort by price/ }).click(); await p.getByRole('columnheader', { name: /channel/ }).hover(); await p.getByRole('button', { name: 'Filter channel' }).click(); await p.getByLabel('Value').fill('mail'); await p.getByRole('button', { name: 'Apply' }).click(); await p.getByText(/of the saved/).waitFor(); await p.getByRole('gridcell', { name: 'mail' }).first().waitFor() } },
  { name: 'run-sql', path: '/r/DA11Y00000000000', sizes: [wide], act: async (p) => { await p.getByText('SQL of this run').click(); await p.getByRole('gridcell').first().waitFor() } },
  { name: 'run-chart', path: '/r/DA11Y00000000000?chart=', at: (p) => p.getByRole('img', { name: /enrolments by day/ }) },
  { name: 'run-pie', path: '/r/DA11Y00000000000?chart=' + encodeURIComponent('{"v":1,"type":"pie","x":"channel","y":[{"col":"revenue","agg":"sum"}]}'), sizes: [wide], at: (p) => p.getByRole('img', { name: /revenue by channel/ }) },
  { name: 'run-bar', path: '/r/DA11Y00000000000?chart=' + encodeURIComponent('{"v":1,"type":"bar","x":"day","stack":true,"series":"channel","y":[{"col":"enrolments","agg":"sum"}]}'), sizes: [wide], at: (p) => p.getByRole('img', { name: /enrolments by day/ }) },
  { name: 'run-number', path: '/r/0NE0000000000000?chart=', sizes: [wide], at: (p) => p.getByText('214') },
  { name: 'run-huge', path: '/r/HVGE000000000000', sizes: [wide], act: async (p) => { await p.getByRole('gridcell').first().waitFor(); await p.getByRole('grid').focus(); await p.keyboard.press('Control+End'); await p.getByRole('rowheader', { name: 'Row number 10000000' }).waitFor(); await p.getByRole('gridcell', { name: /"seat": 39/ }).last().waitFor() } },
  { name: 'run-truncated', path: '/r/CAPPED0000000000', sizes: [wide], at: (p) => p.getByText(/row limit was reached/) },
  { name: 'run-wide', path: '/r/W1DE000000000000', sizes: [wide], at: (p) => p.getByRole('gridcell').first() },
  { name: 'run-zero', path: '/r/ZER0000000000000', sizes: [wide], at: (p) => p.getByText('The statement ran and found nothing.') },
  { name: 'run-update', path: '/r/VPDATE0000000000', sizes: [wide], at: (p) => p.getByText('UPDATE 12') },
  { name: 'run-failed', path: '/r/FA1LED0000000000', at: (p) => p.getByRole('alert') },
  { name: 'run-canceled', path: '/r/CANCE1ED00000000', sizes: [wide], at: (p) => p.getByText('Canceled by ana') },
  { name: 'run-running', path: '/r/RVNN1NG000000000', at: (p) => p.getByText(/rows so far/) },
  { name: 'run-expired', path: '/r/0LD0000000000000', at: (p) => p.getByText('The rows of this run have expired') },
  { name: 'run-deleted', path: '/r/DE1ETED000000000', sizes: [wide], at: (p) => p.getByText('This result was deleted') },
  { name: 'run-not-found', path: '/r/N0NE000000000000', at: (p) => p.getByText("This doesn't exist or isn't open to you."), expectErrors: true },
  { name: 'run-download', path: '/r/ENR0100000000000', sizes: [wide], act: async (p) => { await p.getByRole('gridcell').first().waitFor(); await p.getByRole('button', { name: 'Download' }).click(); await p.getByRole('menuitem', { name: 'CSV' }).waitFor() } },
  { name: 'run-share', path: '/r/ENR0100000000000', sizes: [wide], act: async (p) => { await p.getByRole('button', { name: 'More' }).click(); await p.getByRole('menuitem', { name: 'Share with' }).click(); await p.getByLabel('Login of a person').fill('bo'); await p.getByRole('button', { name: 'Share', exact: true }).click(); await p.getByText('Bo Lindqvist').waitFor() } },
  { name: 'library', path: '/library', at: (p) => p.getByRole('link', { name: 'Enrolments by channel' }) },
  { name: 'library-team', path: '/library?show=team', sizes: [wide], act: async (p) => { await p.getByRole('link', { name: 'Enrolments by channel', exact: true }).waitFor(); if (await p.getByRole('link', { name: 'Revenue by channel, charted' }).count()) throw new Error('shows what is of no team of mine') } },
  { name: 'library-search', path: '/library?q=FINANCE', sizes: [wide], at: (p) => p.getByRole('link', { name: 'Active people per week' }) },
  { name: 'library-empty', path: '/library', world: 'empty', sizes: [wide], at: (p) => p.getByText('No saved queries yet.') },
  { name: 'library-error', path: '/library', world: 'error', sizes: [wide], at: (p) => p.getByRole('alert'), expectErrors: true },
  { name: 'history', path: '/history', at: (p) => p.getByText('All enrolments since August') },
  { name: 'history-empty', path: '/history', world: 'empty', sizes: [wide], at: (p) => p.getByText('No runs yet.') },
  { name: 'history-loading', path: '/history', world: 'slow', sizes: [wide], at: (p) => p.getByRole('status', { name: 'Loading…' }).first() },
  { name: 'connect', path: '/connect', at: (p) => p.getByText(/psql "postgresql/) },
  { name: 'connect-password', path: '/connect', sizes: [wide], act: async (p) => { await p.getByRole('button', { name: /Make a password/ }).click(); await p.getByRole('dialog').waitFor() } },
  { name: 'connect-seen', path: '/connect', sizes: [wide], act: async (p) => { await p.getByRole('button', { name: /Make a password/ }).click(); await p.getByRole('dialog').waitFor(); await p.keyboard.press('Escape'); await p.getByText(/We saw you/).waitFor() } },
  { name: 'people', path: '/people', at: (p) => p.getByText('Chidi Okafor') },
  { name: 'people-teams', path: '/people', sizes: [wide], act: async (p) => { await p.getByRole('tab', { name: 'Teams' }).click(); await p.getByRole('cell', { name: 'growth' }).first().waitFor() } },
  { name: 'people-grant', path: '/people', sizes: [wide], act: async (p) => { await p.getByRole('tab', { name: 'Grants' }).click(); await p.getByRole('button', { name: 'Add grant' }).click(); await p.getByLabel('Role').waitFor() } },
  { name: 'palette', path: '/', sizes: [wide, narrow], act: async (p) => { await p.getByRole('heading', { name: 'Drafts' }).waitFor(); await p.keyboard.press('Control+k'); await p.getByRole('combobox').fill('re'); await p.getByRole('option', { name: /Refunds/ }).waitFor() } },
  { name: 'shortcuts', path: '/', sizes: [wide], act: async (p) => { await p.getByRole('heading', { name: 'Drafts' }).waitFor(); await p.keyboard.press('?'); await p.getByRole('dialog').waitFor() } },
  { name: 'user-menu', path: '/', sizes: [wide], act: async (p) => { await p.getByRole('heading', { name: 'Drafts' }).waitFor(); await p.getByRole('button', { name: /Account of/ }).click(); await p.getByRole('menuitem', { name: 'Sign out' }).waitFor() } },
]

async function editor(page, text) {
  const box = page.getByRole('textbox', { name: 'SQL editor' })
  await box.click()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(text)
}

async function look(shot, size, scheme) {
  const name = `${shot.name}-${size.width}-${scheme}`
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'], hasTouch: size === narrow })
  if (shot.world) await context.addCookies([{ name: 'mock', value: shot.world, url: origin }])
  const page = await context.newPage()
  page.setDefaultTimeout(15000)
  const fault = (text) => { faults.push(`${name}: ${text}`); console.error(faults.at(-1)) }
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`)))
  page.on('console', (m) => {
    if (m.type() !== 'error' && m.type() !== 'warning') return
    if (/status of (4|5)\d\d/.test(m.text()) && (shot.expectErrors || shot.expect401)) return
    fault(`console: ${m.text()}`)
  })
  page.on('pageerror', (err) => fault(`page: ${err.stack}`))
  page.on('request', (r) => { if (!r.url().startsWith(origin) && !r.url().startsWith('data:') && !r.url().startsWith('blob:')) fault(`asks ${r.url()}`) })
  try {
    await page.goto(origin + shot.path)
    if (shot.act) await shot.act(page)
    if (shot.at) await shot.at(page).first().waitFor()
    await page.waitForTimeout(350)
    const h1 = await page.locator('h1').count()
    if (h1 !== 1) fault(`${h1} h1 headings`)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (overflow > 0) fault(`wider than the screen by ${overflow} px`)
    for (const box of await page.evaluate(scrollsByAHair)) fault(box)
    await page.screenshot({ path: `${out}${name}.png` })
    if (!/loading/.test(shot.name)) {
      await page.evaluate(axe)
      // The editor's list of completions scrolls by the keys of the editor, which axe cannot see.
      const found = await page.evaluate(() => window.axe.run({ exclude: ['.cm-tooltip-autocomplete'] }, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }))
      for (const v of found.violations) if (['serious', 'critical'].includes(v.impact)) fault(`axe ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + (n.any[0]?.message ? ` (${n.any[0].message})` : '')).join('; ')}`)
    }
  } catch (err) {
    fault(String(err).split('\n').slice(0, 4).join(' '))
    await page.screenshot({ path: `${out}${name}-FAILED.png` }).catch(() => undefined)
  }
  await context.close()
}

let n = 0
for (const shot of looks.filter((l) => l.name.includes(only)).slice(Number(process.env.LOOK_FROM ?? 0), Number(process.env.LOOK_TO ?? looks.length))) {
  for (const size of shot.sizes ?? [wide, narrow]) {
    for (const scheme of (process.env.LOOK_IN ?? 'light,dark').split(',')) {
      await look(shot, size, scheme)
      n++
    }
  }
}
await browser.close()
server.closeAllConnections()
server.close()
console.log(`${n} pictures in e2e/out, ${faults.length} faults`)
process.exit(faults.length ? 1 : 0)
