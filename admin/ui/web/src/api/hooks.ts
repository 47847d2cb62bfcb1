import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { toast } from '../parts/toast'
import { allOf } from './all'
import { get, send } from './client'
import { newest } from './state'
import type { Completions, List, Me, Run, SessionInfo } from './types'

export const useSession = () => useQuery({ queryKey: ['session'], queryFn: ({ signal }) => get<SessionInfo>('/session', { signal }), staleTime: Infinity })
export const useMe = () => useQuery({ queryKey: ['me'], queryFn: ({ signal }) => get<Me>('/me', { signal }), staleTime: 60_000 })

/** Whatever the list call gives: an array or a page of one. */
export function itemsOf<T>(data: List<T> | T[] | undefined): T[] {
  if (!data) return []
  return Array.isArray(data) ? data : data.items
}

export function useItems<T>(key: readonly unknown[], path: string, enabled = true) {
  return useQuery({ queryKey: key, enabled, queryFn: async ({ signal }) => itemsOf(await get<List<T> | T[]>(path, { signal })) })
}

/** All of a list, for what one chooses from. */
export function useAll<T>(key: readonly unknown[], path: string, enabled = true) {
  return useQuery({
    queryKey: [...key, 'all'], enabled,
    queryFn: ({ signal }) => allOf<T>((search) => get<List<T>>(path + (path.includes('?') ? '&' : '?') + search, { signal })),
  })
}

/** A list that grows by "load more". */
export function usePages<T>(key: readonly unknown[], path: string) {
  return useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => get<List<T>>(path + (pageParam ? `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(pageParam)}` : ''), { signal }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    placeholderData: (old) => old,
  })
}

export const useCompletions = (target: string | undefined) =>
  useQuery({ queryKey: ['completions', target], enabled: target !== undefined, staleTime: 300_000, queryFn: ({ signal }) => get<Completions>(`/targets/${target}/completions`, { signal }) })

interface Change<V> { method: string; path: string | ((v: V) => string); body?: (v: V) => unknown; refresh?: readonly unknown[][]; said?: string }

/** A change: says what failed, refreshes what it touched. */
export function useChange<V = void, R = unknown>({ method, path, body, refresh = [], said }: Change<V>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (v: V) => send<R>(method, typeof path === 'function' ? path(v) : path, body?.(v)),
    onSuccess: () => {
      for (const queryKey of refresh) void client.invalidateQueries({ queryKey })
      if (said) toast(said)
    },
    onError: (err) => toast(err.message, 'bad'),
  })
}

export const useCancel = () => {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => send<Run>('POST', `/runs/${id}/cancel`, { reason: '' }),
    onSuccess: (run) => { if (run?.id) client.setQueryData<Run>(['run', run.id], (old) => newest(old, run)) },
    onError: (err) => toast(err.message, 'bad'),
  })
}
