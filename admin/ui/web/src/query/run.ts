import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Problem, send } from '../api/client'
import { newest } from '../api/state'
import type { Run } from '../api/types'
import { toast } from '../parts/toast'

export interface Ask {
  target: string
  sql: string
  params: { name: string; type: string; value: unknown }[]
  access: 'read_only' | 'read_write'
  multi: boolean
  maxRows: number
  title: string
  /** Set when the text is exactly this saved version. */
  query: { id: string; version: number } | null
}

/** Starts a run and gives its id at once; the answer is followed by useRun. */
export function useStart(onRun: (run: Run) => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (ask: Ask) => send<Run>('POST', '/runs', {
      ...(ask.query ? { query: ask.query } : { sql: ask.sql }),
      target: ask.target, params: ask.params, access: ask.access, multi: ask.multi, urgency: 'interactive',
      limits: { max_rows: ask.maxRows }, on_limit: 'truncate', title: ask.title, keep: false,
    }, { Prefer: 'respond-async', 'Idempotency-Key': crypto.randomUUID() }),
    onSuccess: (run) => {
      client.setQueryData<Run>(['run', run.id], (old) => newest(old, run))
      void client.invalidateQueries({ queryKey: ['runs'] })
      onRun(run)
    },
    onError: (err) => toast(err instanceof Problem && err.body.errors?.length ? err.body.errors.map((e) => e.message).join(' ') : err.message, 'bad'),
  })
}
