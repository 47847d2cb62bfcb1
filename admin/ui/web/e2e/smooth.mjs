// How smooth a grid scrolls: the most elements it held, and the longest task of the
// page's main thread. The time is the thread's own (CPU) time from Chromium's trace:
// a busy machine does not lengthen it.

/** Elements a grid may hold, and ms of the main thread a task may take. */
export const bounds = { elements: 2000, task: 50 }

/** Scrolls through all rows of the grid on the page for some seconds; what was seen. */
export async function scroll(browser, page, rows, seconds) {
  await page.evaluate(() => {
    window.nodes = 0
    const grid = document.querySelector('[role=grid]')
    const count = () => { window.nodes = Math.max(window.nodes, grid.querySelectorAll('*').length); requestAnimationFrame(count) }
    count()
  })
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'] })
  await page.getByRole('grid').hover({ position: { x: 300, y: 200 } })
  for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 700)
  const frames = await page.evaluate(async (ms) => {
    const grid = document.querySelector('[role=grid]')
    const began = performance.now()
    let frames = 0
    for (let part = 0; part < 1; frames++) {
      part = Math.min(1, (performance.now() - began) / ms)
      grid.scrollTop = grid.scrollHeight * part
      await new Promise(requestAnimationFrame)
    }
    return frames
  }, seconds * 1000)
  await page.getByRole('rowheader', { name: `Row number ${rows}`, exact: true }).waitFor()
  const elements = await page.evaluate(() => window.nodes)
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString())
  const main = new Set(traceEvents.filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain').map((e) => `${e.pid} ${e.tid}`))
  const tasks = traceEvents.filter((e) => /RunTask/.test(e.name) && e.tdur !== undefined && main.has(`${e.pid} ${e.tid}`)).map((e) => e.tdur / 1000)
  const longest = Math.max(0, ...tasks)
  return {
    smooth: tasks.length > 0 && elements <= bounds.elements && longest <= bounds.task,
    said: `${rows} rows: ${elements} elements at most; ${frames} frames in ${seconds} s; ${tasks.length} tasks, longest ${longest.toFixed(1)} ms of the main thread, ${tasks.filter((x) => x > bounds.task).length} over ${bounds.task}`,
  }
}
