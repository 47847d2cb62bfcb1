/** In the page: what has a scroll bar for a few pixels that nobody has to see. */
export const scrollsByAHair = () => [...document.querySelectorAll('body, body *')].flatMap((e) => {
  const { overflowX, overflowY } = getComputedStyle(e)
  const by = { x: /auto|scroll/.test(overflowX) ? e.scrollWidth - e.clientWidth : 0, y: /auto|scroll/.test(overflowY) ? e.scrollHeight - e.clientHeight : 0 }
  return Object.entries(by).filter(([, n]) => n > 0 && n < 12).map(([axis, n]) => `${e.tagName.toLowerCase()}.${e.className} scrolls by ${n} px in ${axis}`)
})
