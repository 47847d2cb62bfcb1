// Scrolls results of 182 334 and 10 million rows of the mock office; fails when the
// grid held too many elements or a task took the main thread for too long.
//
//   npm run build && node e2e/scroll.mjs
import { chromium } from 'playwright-core'
import { serve } from '../mock/server.mjs'
import { scroll } from './smooth.mjs'

const port = 8096
const server = await serve(port)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], ignoreDefaultArgs: ['--hide-scrollbars'] })
let bad = false
for (const [id, rows] of [['ENR0100000000000', 182334], ['HVGE000000000000', 10000000]]) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  await page.goto(`http://127.0.0.1:${port}/r/${id}`)
  await page.getByRole('gridcell').first().waitFor()
  const { smooth, said } = await scroll(browser, page, rows, 10)
  console.log(said)
  bad ||= !smooth
  await page.close()
}
await browser.close()
server.closeAllConnections()
server.close()
process.exit(bad ? 1 : 0)
