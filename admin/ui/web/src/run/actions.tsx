import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Download, Ellipsis, Link2, Pin, PinOff, RotateCw, SquarePen, Trash2, UserPlus, X } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { apiUrl, get, Problem, query, send } from '../api/client'
import { finished } from '../api/state'
import type { List, Query, QueryVersion, Run, Viewer } from '../api/types'
import { pageUrl, short } from '../base'
import { Button, Confirm, copyText, Empty, Failure, Input, Loading, Menu, Modal } from '../parts'
import { toast } from '../parts/toast'
import { t } from '../strings'
import { whatAgain } from './again'

export function CopyLink({ run, search = '' }: { run: Run; search?: string }) {
  return <Button small icon={<Link2 size={14} aria-hidden="true" />} onClick={() => void copyText(pageUrl(`/r/${short(run.id)}${search}`), t.run.linkCopied)}>{t.run.copyLink}</Button>
}

const formatNames: Record<string, string> = { csv: 'CSV', tsv: 'TSV', json: 'JSON', ndjson: 'NDJSON', xlsx: 'Excel (XLSX)', parquet: 'Parquet' }

/** The office renders the file from what it saved; nothing runs again. */
export function DownloadMenu({ run, statement }: { run: Run; statement: number }) {
  const [safe, setSafe] = useState(false)
  const result = run.statements[statement]?.result
  if (!result || result.formats.length === 0 || !run.can.rows) return null
  const save = (format: string) => {
    const a = document.createElement('a')
    a.href = apiUrl(`/runs/${run.id}/result.${format}` + query({ statement, safe: safe && (format === 'csv' || format === 'tsv') }))
    a.download = ''
    document.body.append(a)
    a.click()
    a.remove()
  }
  return (
    <Menu
      trigger={<Button small icon={<Download size={14} aria-hidden="true" />}>{t.run.download}</Button>}
      items={[
        ...result.formats.map((f) => ({ label: formatNames[f] ?? f, onSelect: () => save(f) })),
        null,
        { label: t.run.safe, checked: safe, onSelect: () => setSafe(!safe) },
      ]}
    />
  )
}

/** The version that a run was of; null: of none, or it is not open any more. */
async function versionOf(run: Run): Promise<QueryVersion | null> {
  if (!run.query) return null
  try {
    return await get<QueryVersion>(`/queries/${run.query.id}/versions/${run.query.version}`)
  } catch (err) {
    if (err instanceof Problem && (err.status === 404 || err.status === 403)) return null
    throw err
  }
}

async function begin(run: Run): Promise<Run> {
  return send<Run>('POST', '/runs', {
    ...whatAgain(run, await versionOf(run)), target: run.target, params: run.params, access: run.access, multi: run.multi, urgency: 'interactive', limits: run.limits, on_limit: 'truncate', title: run.title,
  }, { Prefer: 'wait=1' })
}

/** Runs the same statement once more, as it was. */
export function useRunAgain() {
  const navigate = useNavigate()
  return useMutation({
    mutationFn: begin,
    onSuccess: (next) => void navigate({ to: '/r/$id', params: { id: short(next.id) } }),
    onError: (err) => toast(err.message, 'bad'),
  })
}

export function RunAgain({ run, look }: { run: Run; look?: 'primary' }) {
  const again = useRunAgain()
  const [asking, setAsking] = useState(false)
  if (!run.sql) return null
  const writes = run.access === 'read_write'
  return (
    <>
      <Button small look={look ?? 'plain'} disabled={again.isPending} icon={<RotateCw size={14} aria-hidden="true" />} onClick={() => (writes ? setAsking(true) : again.mutate(run))}>{t.run.again}</Button>
      <Confirm open={asking} onOpen={setAsking} title={t.run.again + '?'} text={t.query.readWrite} action={t.run.again} onYes={() => again.mutate(run)} />
    </>
  )
}

export function OpenInEditor({ run }: { run: Run }) {
  const navigate = useNavigate()
  const open = useMutation({
    mutationFn: () => send<Query>('POST', '/queries', { title: run.title, sql: run.sql, params: run.params.map((p) => ({ name: p.name, type: p.type, default: p.value })), draft: true, target: run.target }),
    onSuccess: (q) => void navigate({ to: '/d/$id', params: { id: short(q.id) }, search: { run: short(run.id) } }),
    onError: (err) => toast(err.message, 'bad'),
  })
  if (!run.sql) return null
  return <Button small disabled={open.isPending} icon={<SquarePen size={14} aria-hidden="true" />} onClick={() => open.mutate()}>{t.run.openEditor}</Button>
}

/** Changes what its owner may say of a run: whether its rows are pinned, and whether it goes on when its page is left. */
export function useRunChange(run: Run) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (change: Partial<Pick<Run, 'pinned' | 'keep'>>) => send<Run>('PATCH', `/runs/${run.id}`, change),
    onSuccess: (next) => client.setQueryData(['run', run.id], next),
    onError: (err) => toast(err.message, 'bad'),
  })
}

/** Pin, share and delete: behind one button, each with its name. */
export function MoreActions({ run, children }: { run: Run; children?: ReactNode }) {
  const client = useQueryClient()
  const change = useRunChange(run)
  const [sharing, setSharing] = useState(false)
  const [deleting, setDeleting] = useState(false)
  const remove = useMutation({
    mutationFn: () => send('DELETE', `/runs/${run.id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: ['run', run.id] }),
    onError: (err) => toast(err.message, 'bad'),
  })
  const items = [
    ...(run.can.pin && finished(run) ? [{ label: run.pinned ? t.run.unpin : t.run.pin, icon: run.pinned ? <PinOff size={14} aria-hidden="true" /> : <Pin size={14} aria-hidden="true" />, onSelect: () => change.mutate({ pinned: !run.pinned }) }] : []),
    ...(run.can.share ? [{ label: t.run.share, icon: <UserPlus size={14} aria-hidden="true" />, onSelect: () => setSharing(true) }] : []),
    ...(run.can.delete ? [null, { label: t.delete, danger: true, icon: <Trash2 size={14} aria-hidden="true" />, onSelect: () => setDeleting(true) }] : []),
  ]
  if (items.length === 0) return null
  return (
    <>
      <Menu trigger={<Button small look="quiet" aria-label={t.more} icon={<Ellipsis size={16} aria-hidden="true" />} />} items={items} />
      {children}
      <ShareDialog run={run} open={sharing} onOpen={setSharing} />
      <Confirm open={deleting} onOpen={setDeleting} title={t.run.deleteQuestion} text={t.run.deleteText} action={t.delete} onYes={() => remove.mutate()} />
    </>
  )
}

export function ShareDialog({ run, open, onOpen }: { run: Run; open: boolean; onOpen: (open: boolean) => void }) {
  const client = useQueryClient()
  const key = ['viewers', run.id]
  const [login, setLogin] = useState('')
  const viewers = useQuery({ queryKey: key, enabled: open, queryFn: ({ signal }) => get<List<Viewer>>(`/runs/${run.id}/viewers`, { signal }) })
  const change = useMutation({
    mutationFn: ({ who, add }: { who: string; add: boolean }) => send(add ? 'PUT' : 'DELETE', `/runs/${run.id}/viewers/${encodeURIComponent(who)}`),
    onSuccess: () => { setLogin(''); return client.invalidateQueries({ queryKey: key }) },
    onError: (err) => toast(err.message, 'bad'),
  })
  return (
    <Modal open={open} onOpen={onOpen} title={t.run.share} description={t.run.shareHint}>
      <form className="row" onSubmit={(e) => { e.preventDefault(); if (login.trim()) change.mutate({ who: login.trim(), add: true }) }}>
        <Input className="grow" label={t.run.shareLogin} value={login} onChange={(e) => setLogin(e.target.value)} autoFocus />
        <Button type="submit" look="primary" className="align-end" disabled={!login.trim() || change.isPending}>{t.run.shareAdd}</Button>
      </form>
      {viewers.isPending && <Loading />}
      {viewers.isError && <Failure error={viewers.error} onRetry={() => void viewers.refetch()} />}
      {viewers.data?.items.length === 0 && <Empty title={t.run.shareNone} />}
      <ul className="plain-list">
        {viewers.data?.items.map((v) => (
          <li key={v.login} className="row between">
            <span>{v.name} <span className="faint mono">{v.login}</span></span>
            <Button small look="quiet" icon={<X size={14} aria-hidden="true" />} aria-label={t.run.shareRemove(v.login)} onClick={() => change.mutate({ who: v.login, add: false })} />
          </li>
        ))}
      </ul>
    </Modal>
  )
}
