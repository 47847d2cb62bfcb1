import { t } from './strings'

const whole = new Intl.NumberFormat('en-US')
const sizes = ['B', 'KB', 'MB', 'GB', 'TB']

/** 182 334, with thin spaces: digits stay readable and copyable as words. */
export function count(n: number): string {
  return whole.format(n).replaceAll(',', '\u202f')
}

const parts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 })

const large = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 })

/** A number with at most two digits behind the point. */
export function decimal(n: number): string {
  return parts.format(n).replaceAll(',', '\u202f')
}

/** An estimate in a narrow place: 85.3B from a thousand million on. */
export function estimate(n: number): string {
  return n >= 1e9 ? large.format(n) : decimal(n)
}

export function rowCount(n: number): string {
  return n === 1 ? t.run.oneRow : t.run.rows(count(n))
}

export function bytes(n: number): string {
  let i = 0
  while (n >= 1000 && i < sizes.length - 1) {
    n /= 1000
    i++
  }
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${sizes[i]}`
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ${t.units.ms}`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} ${t.units.s}`
  const s = Math.round(ms / 1000)
  if (s < 3600) return `${Math.floor(s / 60)} ${t.units.min} ${s % 60} ${t.units.s}`
  return `${Math.floor(s / 3600)} ${t.units.h} ${Math.floor((s % 3600) / 60)} ${t.units.min}`
}

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })

/** An estimate: no more digits than it is worth. */
export function roughDuration(ms: number): string {
  const s = Math.max(1, Math.round(ms / 1000))
  return s < 100 ? `${s} ${t.units.s}` : `${Math.round(s / 60)} ${t.units.min}`
}

export function exactTime(iso: string): string {
  return dateTime.format(new Date(iso))
}

/** "5 min. ago", "in 3 days"; after a month the date. */
export function roughTime(iso: string, now = Date.now()): string {
  const s = (new Date(iso).getTime() - now) / 1000
  const a = Math.abs(s)
  if (a < 45) return t.units.now
  if (a < 3600) return relative.format(Math.round(s / 60), 'minute')
  if (a < 86_400) return relative.format(Math.round(s / 3600), 'hour')
  if (a < 86_400 * 31) return relative.format(Math.round(s / 86_400), 'day')
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(new Date(iso))
}

/** A statement on one line, without the comments that stand on lines of their own. */
export function oneLine(sql: string): string {
  const lines = sql.slice(0, 2000).split('\n').filter((l) => !l.trim().startsWith('--'))
  return (lines.join(' ').trim() || sql.trim()).replaceAll(/\s+/g, ' ').slice(0, 200)
}
