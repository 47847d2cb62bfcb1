function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''
}

/** The path the office lives below, with slashes at both ends. */
export const base = meta('lk-base') || '/'

/** The nonce that the Content-Security-Policy of this page allows for style elements. */
export const nonce = meta('csp-nonce')

/** r_7F3K9… is shown as 7F3K9… in addresses of the page. */
export function short(id: string): string {
  return id.replace(/^[a-z]_/, '')
}

export function runId(id: string): string {
  return id.startsWith('r_') ? id : 'r_' + id
}

export function queryId(id: string): string {
  return id.startsWith('q_') ? id : 'q_' + id
}

/** The address to hand to somebody else. */
export function pageUrl(path: string): string {
  return window.location.origin + base.replace(/\/$/, '') + path
}
