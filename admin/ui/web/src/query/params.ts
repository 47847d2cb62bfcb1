import type { QueryParam } from '../api/types'

/** A parameter as the page holds it: its value now, and what the query declares of it. */
export interface ParamValue {
  type: string
  text: string
  isNull: boolean
  /** What the field begins with; null: nothing. */
  preset: string | null
  /** The only values allowed; empty: all. */
  choices: string[]
}

export const paramTypes = ['text', 'int8', 'numeric', 'float8', 'bool', 'date', 'timestamptz', 'timestamp', 'uuid', 'text[]', 'int8[]', 'date[]']

/** A first type from the name: dates are mostly called so. */
export function guessType(name: string): string {
  if (/(^|_)(ids|courses)$/i.test(name)) return 'int8[]'
  if (/(^|_)(id|n|count|limit|year)$/i.test(name)) return 'int8'
  if (/(^|_)(since|until|from|to|day|date|start|end)$/i.test(name)) return 'date'
  return 'text'
}

export function freshParam(name: string): ParamValue {
  return { type: guessType(name), text: '', isNull: false, preset: null, choices: [] }
}

export const isList = (type: string) => type.endsWith('[]')

const elements = (text: string) => text.split(',').map((x) => x.trim()).filter((x) => x !== '')

/** What the API takes: text as the type writes it, a list for an array, or null. */
export function paramOf(name: string, v: ParamValue): { name: string; type: string; value: unknown } {
  if (v.isNull) return { name, type: v.type, value: null }
  return { name, type: v.type, value: isList(v.type) ? elements(v.text) : v.text }
}

/** Whether a value may stand there: any, or one of the choices; of a list, each element. */
export function allowed(v: ParamValue, text: string): boolean {
  if (v.choices.length === 0) return true
  return isList(v.type) ? elements(text).every((x) => v.choices.includes(x)) : v.choices.includes(text)
}

/** Whether there is no value: an empty field is a text, and of any other type nothing yet. */
export function lacks(v: ParamValue): boolean {
  return !v.isNull && v.text.trim() === '' && v.type !== 'text' && !isList(v.type)
}

/**
 * What a query declares of a parameter. Of a draft the value in the field is what it
 * begins with next time; a saved query keeps what somebody set.
 */
export function savedParam(name: string, v: ParamValue, draft: boolean): QueryParam {
  const text = draft ? (v.isNull || v.text === '' ? null : v.text) : v.preset
  const preset = text === null || !allowed(v, text) ? null : isList(v.type) ? elements(text) : text
  return { name, type: v.type, default: preset, ...(v.choices.length > 0 ? { choices: v.choices } : {}) }
}

const textOf = (x: unknown): string => (Array.isArray(x) ? x.map(String).join(', ') : typeof x === 'object' && x !== null ? JSON.stringify(x) : String(x))

/** The parameters a query declares, each at the value it begins with. */
export function valuesOf(params: readonly QueryParam[]): Record<string, ParamValue> {
  return Object.fromEntries(params.map((p) => {
    const choices = (p.choices ?? []).map(textOf)
    const preset = p.default === null || p.default === undefined ? null : textOf(p.default)
    return [p.name, { type: p.type || 'text', text: preset ?? (isList(p.type) ? '' : (choices[0] ?? '')), isNull: false, preset, choices }]
  }))
}

/** The values that a run was made with, in the fields that are there. */
export function valuesOfRun(params: readonly { name: string; type: string; value: unknown }[], into: Record<string, ParamValue>): Record<string, ParamValue> {
  const out = { ...into }
  for (const p of params) {
    const now = out[p.name] ?? { ...freshParam(p.name), type: p.type }
    out[p.name] = { ...now, isNull: p.value === null, text: p.value === null ? '' : textOf(p.value) }
  }
  return out
}

/** Choices typed one to a line. */
export function choicesOf(text: string): string[] {
  return [...new Set(text.split('\n').map((x) => x.trim()).filter((x) => x !== ''))]
}

/** A parameter with other choices: what they forbid does not stay. */
export function withChoices(v: ParamValue, choices: string[]): ParamValue {
  const next = { ...v, choices }
  if (next.preset !== null && !allowed(next, next.preset)) next.preset = null
  if (!allowed(next, next.text)) next.text = isList(v.type) ? '' : (next.preset ?? choices[0] ?? '')
  return next
}

/** Where the field of a parameter stands in the page. */
export const fieldId = (name: string) => 'param-' + name
