import type { Query, Token } from '../api/types'

/** What a release of a version to a service would come to. */
export interface Standing {
  /** The version to compare with: the highest that its tokens run now and that the release would replace. */
  from: number | null
  /** The highest that they run now. */
  now: number | null
  /** Whether anything would change. */
  effect: boolean
}

/** The version that was released to a service: of several the highest counts. */
export function releasedTo(query: Pick<Query, 'released'>, service: string): number | null {
  return highest(query.released.filter((r) => r.service === service).map((r) => r.version))
}

/**
 * The versions that a service runs: each of its tokens runs the highest of the
 * version that it was made for and those that were released to its service.
 */
export function running(query: Pick<Query, 'id' | 'released'>, service: string, tokens: Pick<Token, 'queries'>[]): number[] {
  const released = releasedTo(query, service)
  const pins = tokens.flatMap((k) => k.queries.filter((q) => q.id === query.id).map((q) => q.version))
  if (pins.length === 0) return released === null ? [] : [released]
  return [...new Set(pins.map((pin) => Math.max(pin, released ?? 0)))].sort((a, b) => a - b)
}

/** The services that run a version. Of those whose tokens one cannot see the releases alone tell. */
export function servicesOn(query: Pick<Query, 'id' | 'released'>, tokens: ReadonlyMap<string, Pick<Token, 'queries'>[]>, version: number): string[] {
  const services = new Set([...query.released.map((r) => r.service), ...tokens.keys()])
  return [...services].filter((s) => running(query, s, tokens.get(s) ?? []).includes(version))
}

/** What a release would come to: nothing below what a token runs takes effect for it. */
export function standing(query: Pick<Query, 'id' | 'released'>, service: string, tokens: Pick<Token, 'queries'>[], version: number): Standing {
  const runs = running(query, service, tokens)
  const lower = runs.filter((n) => n < version)
  return { from: highest(lower), now: highest(runs), effect: runs.length === 0 || lower.length > 0 }
}

function highest(versions: number[]): number | null {
  return versions.length > 0 ? Math.max(...versions) : null
}
