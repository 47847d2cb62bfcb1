import { useMutation } from '@tanstack/react-query'
import { send } from '../api/client'
import type { Explanation } from '../api/types'
import type { ParamValue } from './params'
import { lacks, paramOf } from './params'

export interface Question {
  target: string
  sql: string
  names: string[]
  values: Record<string, ParamValue>
  /** Where the statement begins in the text. */
  offset: number
}

/** The names that have a value; the others are planned as NULL. */
export function given(q: Pick<Question, 'names' | 'values'>): string[] {
  return q.names.filter((n) => {
    const v = q.values[n]
    return v !== undefined && !lacks(v)
  })
}

/** Asks what a statement would do. Nothing is run. */
export function useExplain() {
  return useMutation({
    mutationFn: (q: Question) => send<Explanation>('POST', '/explain', { target: q.target, sql: q.sql, params: given(q).map((n) => paramOf(n, q.values[n]!)) }),
  })
}
