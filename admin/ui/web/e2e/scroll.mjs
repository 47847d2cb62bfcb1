// Scrolls results of 182 334 and 10 million rows; fails when the grid held more than
// 2 000 elements or a task took more than 50 ms of the main thread. The time is the
// thread's own (CPU) time from Chromium's trace: a busy machine does not lengthen it.
//
//   npm run build && node e2e/scroll.mjs
import { chromium } from 'playwright-core'
import { serve } from '../mock/server.mjs'

const limit = 50
const port = 8096
const server = await serve(port)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
let bad = false
for (const [id, rows] of [['ENR0100000000000', 182334], ['HVGE000000000000', 10000000]]) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  await page.goto(`http://127.0.0.1:${port}/r/${id}`)
  await page.getByRole('gridcell').first().waitFor()
  await page.evaluate(() => {
    window.nodes = 0
    const grid = document.querySelector('[role=grid]')
    const count = () => { window.nodes = Math.max(window.nodes, grid.querySelectorAll('*').length); requestAnimationFrame(count) }
    count()
  })
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'] })
  await page.mouse.move(900, 600)
  for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 700)
  await page.evaluate(async () => {
    const grid = document.querySelector('[role=grid]')
    for (let i = 1; i <= 40; i++) {
      grid.scrollTop = (grid.scrollHeight / 40) * i
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
    }
  })
  await page.getByRole('rowheader', { name: `Row number ${rows}` }).waitFor()
  const nodes = await page.evaluate(() => window.nodes)
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString())
  const main = new Set(traceEvents.filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain').map((e) => `${e.pid} ${e.tid}`))
  const tasks = traceEvents.filter((e) => /RunTask/.test(e.name) && e.tdur !== undefined && main.has(`${e.pid} ${e.tid}`)).map((e) => e.tdur / 1000)
  const longest = Math.max(0, ...tasks)
  console.log(`${rows} rows: ${nodes} elements at most; ${tasks.length} tasks, longest ${longest.toFixed(1)} ms of the main thread, ${tasks.filter((x) => x > limit).length} over ${limit}`)
  if (tasks.length === 0) bad = true
  if (nodes > 2000 || longest > limit) bad = true
  await page.close()
}
await browser.close()
server.closeAllConnections()
server.close()
process.exit(bad ? 1 : 0)
