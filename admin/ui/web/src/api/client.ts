import { base } from '../base'
import { t } from '../strings'
import { Problem } from './problem'
import type { ProblemBody } from './types'

export { Problem }

export interface CallOptions {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface Answer<T> {
  data: T
  status: number
  headers: Headers
}

/** The address of an API path, below whatever path the office lives. */
export function apiUrl(path: string): string {
  return base + 'api/v1' + path
}

/** One call. A 204 and a 304 give undefined data; every other failure throws a Problem. */
export async function request<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  const init: RequestInit = { method, headers, credentials: 'same-origin', signal: options.signal ?? null }
  if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json'
    init.body = JSON.stringify(options.body)
  } else if (method !== 'GET') {
    headers['Content-Type'] = 'application/json'
  }
  let answer: Response
  try {
    answer = await fetch(apiUrl(path), init)
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err
    throw new Problem({ title: t.errors.offline, status: 0, code: 'offline' })
  }
  if (answer.status === 204 || answer.status === 304) {
    return { data: undefined as T, status: answer.status, headers: answer.headers }
  }
  const text = await answer.text()
  let data: unknown = undefined
  try {
    data = text === '' ? undefined : JSON.parse(text)
  } catch {
    data = undefined
  }
  if (!answer.ok) {
    if (answer.status === 401 && path !== '/session') window.dispatchEvent(new Event('lk:signed-out'))
    const body = (data ?? {}) as Partial<ProblemBody>
    throw new Problem({ ...body, title: body.title ?? t.errors.unexpected, status: answer.status, code: body.code ?? 'unexpected' })
  }
  return { data: data as T, status: answer.status, headers: answer.headers }
}

export async function get<T>(path: string, options?: CallOptions): Promise<T> {
  return (await request<T>('GET', path, options)).data
}

export async function send<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
  const options: CallOptions = {}
  if (body !== undefined) options.body = body
  if (headers) options.headers = headers
  return (await request<T>(method, path, options)).data
}

/** Search parameters without the empty ones. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const out = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '' && value !== false) out.set(name, String(value))
  }
  const text = out.toString()
  return text === '' ? '' : '?' + text
}
