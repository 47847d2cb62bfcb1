import { useMutation, useQueries, useQuery } from '@tanstack/react-query'
import { Rocket } from 'lucide-react'
import { useMemo, useState } from 'react'
import { get, query as search, send } from '../api/client'
import { itemsOf, useAll } from '../api/hooks'
import type { ChartSpec, List, Query, QueryVersion, Service, Token } from '../api/types'
import { Badge, Button, cx, Empty, Failure, Loading, Menu, Modal, Time } from '../parts'
import { toast } from '../parts/toast'
import { diffLines } from '../sql/diff'
import { t } from '../strings'
import { servicesOn, standing, type Standing } from './release'

interface Props { open: boolean; onOpen: (open: boolean) => void; query: Query; now: () => Whole; canEdit: boolean; onRestore: (v: QueryVersion) => void; onReleased: (q: Query) => void }

interface Whole { sql: string; params: QueryVersion['params']; chart: ChartSpec | null }

const asked = 30 // an admin holds all services; most people hold a few

/** The tokens of the services that one holds, as far as they came: what they were made for counts beside what was released. */
function useTokens(services: readonly Service[], query: Query, open: boolean): ReadonlyMap<string, Token[]> {
  const released = (s: Service) => Number(query.released.some((r) => r.service === s.id))
  const first = [...services].sort((a, b) => released(b) - released(a)).slice(0, asked)
  const answers = useQueries({ queries: first.map((s) => ({ ...tokensOf(s.id), enabled: open })) })
  return new Map(first.flatMap((s, i) => { const data = answers[i]?.data; return data ? [[s.id, data] as const] : [] }))
}

const tokensOf = (service: string) => ({
  queryKey: ['tokens', service],
  queryFn: async ({ signal }: { signal: AbortSignal }) => itemsOf(await get<List<Token>>('/tokens' + search({ service }), { signal })),
})

/** What was saved, which service runs which of it, and the way back or into a service. */
export function Versions({ open, onOpen, query, now, canEdit, onRestore, onReleased }: Props) {
  const list = useQuery({ queryKey: ['versions', query.id], enabled: open, queryFn: async ({ signal }) => itemsOf(await get<List<QueryVersion> | QueryVersion[]>(`/queries/${query.id}/versions`, { signal })) })
  // Those that I hold: only they can be released to.
  const services = useAll<Service>(['services', 'held'], '/services', open)
  const [chosen, setChosen] = useState<number | null>(null)
  const [service, setService] = useState<Service | null>(null)
  const seen = useTokens(services.data ?? [], query, open)
  const tokens = useQuery({ ...tokensOf(service?.id ?? ''), enabled: open && service !== null })
  const version = list.data?.find((v) => v.version === chosen) ?? list.data?.[0]
  const nameOf = (id: string) => services.data?.find((s) => s.id === id)?.name ?? id
  const release = useMutation({
    mutationFn: ({ to, n }: { to: Service; n: number }) => send<Query>('POST', `/queries/${query.id}/release`, { version: n, service: to.id }),
    onSuccess: (q, { to, n }) => { setService(null); onReleased(q); toast(t.query.releaseDone(n, to.name)) },
    onError: (err) => toast(err.message, 'bad'),
  })
  const toggle = (on: boolean) => { if (!on) setService(null); onOpen(on) }
  const held = services.data ?? []
  return (
    <Modal open={open} onOpen={toggle} title={service && version ? t.query.releaseTitle(version.version, service.name) : t.query.versions} wide>
      {list.isPending && <Loading />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data?.length === 0 && <Empty title={t.query.versionsNone} />}
      {service && tokens.isPending && <Loading />}
      {service && tokens.isError && <Failure error={tokens.error} onRetry={() => void tokens.refetch()} />}
      {version && service && list.data && tokens.data && (
        <Release version={version} versions={list.data} is={standing(query, service.id, tokens.data, version.version)} service={service} busy={release.isPending} onBack={() => setService(null)} onYes={() => release.mutate({ to: service, n: version.version })} />
      )}
      {version && !service && (
        <>
          <div className="versions">
            <ul className="plain-list" aria-label={t.query.versions}>
              {list.data?.map((v) => (
                <li key={v.version}>
                  <button type="button" className={cx('version', v === version && 'on')} aria-pressed={v === version} onClick={() => setChosen(v.version)}>
                    <b>{t.query.version(v.version)}</b>
                    <span className="faint">{typeof v.by === 'string' ? v.by : v.by.name || v.by.login} · <Time at={v.at} /></span>
                    {servicesOn(query, seen, v.version).map((s) => <Badge key={s} tone="good" title={whyOf(query, s, v.version)} icon={<Rocket size={11} aria-hidden="true" />}>{t.query.released(nameOf(s))}</Badge>)}
                  </button>
                </li>
              ))}
            </ul>
            <Diff before={wholeOf(version, true)} after={wholeOf(now(), true)} label={t.query.diffWithNow} />
          </div>
          <footer className="modal-foot">
            {held.length > 0 && (
              <Menu
                trigger={<Button icon={<Rocket size={14} aria-hidden="true" />}>{t.query.releaseTo}</Button>}
                items={held.map((s) => ({ label: s.name, onSelect: () => setService(s) }))}
              />
            )}
            {canEdit && <Button look="primary" onClick={() => { onRestore(version); toggle(false) }}>{t.query.restore}</Button>}
          </footer>
        </>
      )}
    </Modal>
  )
}

function whyOf(query: Query, service: string, version: number): string {
  const release = query.released.find((r) => r.service === service && r.version === version)
  return release ? t.query.releasedBy(release.by) : t.query.releasedToken
}

/** What would change for the service, and the question whether it shall. */
function Release({ version, versions, is, service, busy, onBack, onYes }: { version: QueryVersion; versions: QueryVersion[]; is: Standing; service: Service; busy: boolean; onBack: () => void; onYes: () => void }) {
  const from = versions.find((v) => v.version === (is.effect ? is.from : is.now))
  return (
    <>
      <p className="modal-lead">{leadOf(version.version, is, service.name)}</p>
      <Diff before={from ? wholeOf(from) : ''} after={wholeOf(version)} label={t.query.releaseDiff} />
      {is.effect && <p className="hint">{t.query.releaseFinal}</p>}
      <footer className="modal-foot">
        <Button onClick={onBack}>{t.cancel}</Button>
        <Button look="primary" disabled={busy || !is.effect} icon={<Rocket size={14} aria-hidden="true" />} onClick={onYes}>{t.query.release(version.version)}</Button>
      </footer>
    </>
  )
}

function leadOf(version: number, is: Standing, service: string): string {
  if (is.now === null) return t.query.releaseFirst(service)
  if (is.effect) return is.from !== null && is.from < is.now ? t.query.releaseSome(is.from, is.now, service) : t.query.releaseFrom(is.now, service)
  return is.now === version ? t.query.releaseSame(version, service) : t.query.releaseLower(is.now, service)
}

/** All of a version that decides what runs, the text and what its parameters may be; and if asked its chart. */
function wholeOf(v: Whole, withChart = false): string {
  const params = v.params.map((p) => {
    const preset = p.default === null || p.default === undefined ? '' : `, ${t.query.diffPreset(JSON.stringify(p.default))}`
    const choices = p.choices?.length ? `, ${t.query.diffChoices(JSON.stringify(p.choices))}` : ''
    return `:${p.name} ${p.type}${preset}${choices}`
  })
  const more = [...params, ...(withChart && v.chart ? [t.query.diffChart(JSON.stringify(v.chart))] : [])]
  return [v.sql, ...(more.length > 0 ? ['', ...more] : [])].join('\n')
}

function Diff({ before, after, label }: { before: string; after: string; label: string }) {
  const lines = useMemo(() => (before === '' ? after.split('\n').map((text) => ({ kind: 'added' as const, text })) : diffLines(before, after)), [before, after])
  const same = lines.every((l) => l.kind === 'same')
  return (
    <div className="diff-box">
      <p className="hint">{same ? t.query.diffSame : label}</p>
      <div className="diff" tabIndex={0} role="region" aria-label={label}>
        {lines.map((l, i) => (
          <div key={i} className={l.kind}>
            <span className="sign" aria-hidden="true">{l.kind === 'removed' ? '−' : l.kind === 'added' ? '+' : ' '}</span>
            {l.kind !== 'same' && <span className="hidden">{l.kind === 'removed' ? t.query.removed : t.query.added}: </span>}
            {l.text}
          </div>
        ))}
      </div>
    </div>
  )
}
