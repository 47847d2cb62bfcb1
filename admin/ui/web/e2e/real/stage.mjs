// What the scripts beside this one share: people in browsers of their own against a
// real server, and the promises that hold on every page of every script: no console
// error, no breach of the Content-Security-Policy, no request to another origin
// (but the identity provider's, where there is one, and only by going there).
//
// `make browser` starts the server and says in the environment where things are:
// LK_WEB (the page), LK_STAGE (the test: SQL as the warehouse's superuser, the
// command line, the identity provider's groups), LK_PROVIDER (its origin, if any),
// CHROMIUM.
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

export const origin = required('LK_WEB')
export const provider = process.env.LK_PROVIDER
const stage = required('LK_STAGE')
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const patience = 20000

const faults = []
export const fault = (text) => { faults.push(text); console.log('FAULT', text) }

export function required(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: start these scripts by make browser`)
  return value
}

async function ask(path, body) {
  const answer = await fetch(stage + path, { method: 'POST', body })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path} ${body}: ${text}`)
  return text.trim()
}

/** SQL straight to the warehouse, past the door; the first column of the first row, if any. */
export const sql = (text) => ask('/sql', text)
/** `lockkeeper …`, at the machine of the server. */
export const cli = (...args) => ask('/cli', JSON.stringify(args))
/** The groups that the identity provider lists somebody in from now on. */
export const groups = (login, ...names) => ask('/groups', JSON.stringify({ login, groups: names }))

/** How many reads of a run's result are in the record. */
export const reads = (run) => ask('/reads', run).then(Number)

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], ignoreDefaultArgs: ['--hide-scrollbars'] })

/** One act, named; what fails ends the script with a picture of every page. */
export async function step(name, act) {
  const began = Date.now()
  try {
    const said = await act()
    console.log(`ok    ${name} (${Date.now() - began} ms)${said ? ': ' + said : ''}`)
  } catch (err) {
    console.log(`FAIL  ${name}: ${String(err.stack ?? err).split('\n').slice(0, 14).join('\n      ')}`)
    for (const person of everybody) {
      console.log(`      ${person.login} is at ${person.page.url()}: ${(await person.page.locator('body').innerText().catch(() => '')).replaceAll(/\s+/g, ' ').slice(0, 600)}`)
      if (process.env.LK_OUT) await person.page.screenshot({ path: `${process.env.LK_OUT}/failed-${person.login}.png` }).catch(() => undefined)
    }
    await browser.close()
    process.exit(1)
  }
}

/** The script's last word. */
export async function end() {
  await browser.close()
  console.log(faults.length ? `${faults.length} faults` : 'no console error, no CSP breach, no other origin')
  process.exit(faults.length ? 1 : 0)
}

const everybody = []

/** Nobody is asked but our own origin. The provider is gone to, by the whole page;
 *  what its own pages then load from it is theirs. */
function allowed(request) {
  const url = request.url()
  if (url.startsWith(origin + '/') || /^(data|blob):/.test(url)) return true
  if (!provider || new URL(url).origin !== provider) return false
  if (request.isNavigationRequest()) return request.frame() === request.frame().page().mainFrame()
  return new URL(request.frame().url()).origin === provider
}

/** Somebody with a browser of their own. */
export class Person {
  /** Opens the browser; nobody is signed in yet. */
  static async come(login, options = {}) {
    const person = new Person()
    person.login = login
    person.context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...options })
    await person.context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`)))
    person.expected = [] // statuses of answers that the script provokes
    person.context.on('page', (page) => person.watch(page))
    person.context.on('request', (r) => { if (!allowed(r)) fault(`${login}: asks ${r.url()}`) })
    person.page = await person.context.newPage()
    everybody.push(person)
    return person
  }

  /** Comes by a one-use link, and keeps the password for later if one is given. */
  static async signIn(login, { password, ...options } = {}) {
    const person = await Person.come(login, options)
    await person.link(password)
    return person
  }

  async link(password) {
    await this.page.goto(await cli('user', 'link', this.login))
    await this.page.getByRole('heading', { name: 'Choose a password' }).waitFor()
    assert.ok(!this.page.url().includes('link='), 'the token left the address')
    if (password) {
      await this.page.getByLabel('New password').fill(password)
      await this.button('Save').click()
    } else {
      await this.button('Later').click()
    }
    await this.page.getByRole('navigation', { name: 'Main' }).waitFor()
  }

  watch(page) {
    page.setDefaultTimeout(patience)
    page.on('console', (m) => {
      if (m.type() !== 'error' && m.type() !== 'warning') return
      if (provider && m.location().url.startsWith(provider + '/')) return // what its pages do is theirs
      const status = Number(/status of (\d{3})/.exec(m.text())?.[1])
      if (this.expected.includes(status)) return
      fault(`${this.login}: console: ${m.text()} (${m.location().url}) at ${page.url()}`)
    })
    page.on('pageerror', (err) => fault(`${this.login}: page: ${err.stack}`))
  }

  async leave() {
    await this.context.close()
    everybody.splice(everybody.indexOf(this), 1)
  }

  button(name) { return this.page.getByRole('button', { name, exact: true }) }

  /** Replaces the text in the editor. */
  async type(text) {
    await this.page.getByRole('textbox', { name: 'SQL editor' }).click()
    await this.page.keyboard.press('Control+a')
    await this.page.keyboard.press('Delete')
    await this.page.keyboard.insertText(text)
  }

  /** A new query with this text, on its page; it is not run. */
  async write(text) {
    await this.page.goto(origin + '/new')
    await this.type(text)
  }

  /** Presses Run and waits until a run is in the address; its id. */
  async run() {
    const before = this.runInAddress()
    await this.button('Run').click()
    await this.page.waitForURL((u) => u.searchParams.has('run') && u.searchParams.get('run') !== before)
    return this.runInAddress()
  }

  runInAddress() { return new URL(this.page.url()).searchParams.get('run') }

  /** The grid's cells as they stand on the screen, row by row. */
  async cells() {
    await this.page.getByRole('gridcell').first().waitFor()
    await this.page.getByRole('img', { name: 'loading' }).first().waitFor({ state: 'detached' })
    return this.page.getByRole('grid').evaluate((grid) => [...grid.querySelectorAll('[role=row]')].map((r) => [...r.querySelectorAll('[role=gridcell]')].map((c) => c.textContent)).filter((r) => r.length))
  }

  /** A request as this person, by their session. */
  async api(method, path, data, headers = {}) {
    const answer = await this.context.request.fetch(`${origin}/api/v1${path}`, { method, ...(data === undefined ? {} : { data }), headers: { ...(data === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers }, failOnStatusCode: false })
    const text = await answer.text()
    return { status: answer.status(), body: /json/.test(answer.headers()['content-type'] ?? '') ? JSON.parse(text) : text }
  }

  /** The rows of a run as the API gives them, NULL as the grid writes it. */
  async rows(run) {
    const answer = await this.api('GET', `/runs/r_${run}/rows?limit=200&values=text`)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body.rows.map((r) => r.map((c) => c ?? 'NULL'))
  }

  /** No serious barrier for anybody on the page as it stands now. */
  async axe(name) {
    await this.page.evaluate(axeSource)
    const found = await this.page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }))
    for (const v of found.violations) {
      if (['serious', 'critical'].includes(v.impact)) fault(`${name}: axe ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + (n.any[0]?.message ? ` (${n.any[0].message})` : '')).join('; ')}`)
    }
  }
}

/** Polls what gives no sign on the page; the value, once it holds. */
export async function eventually(what, ask, holds) {
  let last
  for (const until = Date.now() + patience; Date.now() < until;) {
    last = await ask()
    if (holds(last)) return last
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`never: ${what}; at last ${JSON.stringify(last)}`)
}
