import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ChartNoAxesColumn, Check, CloudOff, Ellipsis, GitFork, History, Link2, LoaderCircle, PanelLeft, Save, Star, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { request, send } from '../api/client'
import type { Query, QueryVersion } from '../api/types'
import { pageUrl, short } from '../base'
import { Badge, Button, Confirm, copyText, cx, keys, Menu } from '../parts'
import { toast } from '../parts/toast'
import { t } from '../strings'
import type { SaveState } from './document'

interface Props {
  query: Query | null; version: QueryVersion | null; state: SaveState; dirty: boolean; saving: boolean; side: boolean
  onSave: () => void; onVersions: () => void; onRenamed: (q: Query) => void; onFlush: () => Promise<void>; onSide: (on: boolean) => void
}

export function TitleBar({ query, version, state, dirty, saving, side, onSave, onVersions, onRenamed, onFlush, onSide }: Props) {
  const navigate = useNavigate()
  const client = useQueryClient()
  const [deleting, setDeleting] = useState(false)
  const star = useMutation({
    mutationFn: (q: Query) => send(q.starred ? 'DELETE' : 'PUT', `/queries/${q.id}/star`).then(() => ({ ...q, starred: !q.starred })),
    onSuccess: (q) => { onRenamed(q); void client.invalidateQueries({ queryKey: ['queries'] }) },
    onError: (err) => toast(err.message, 'bad'),
  })
  const fork = useMutation({
    mutationFn: async (q: Query) => { await onFlush(); return (await request<Query>('POST', `/queries/${q.id}/fork`)).data },
    onSuccess: (q) => { toast(t.query.forked); void navigate({ to: q.draft ? '/d/$id' : '/q/$id', params: { id: short(q.id) } }) },
    onError: (err) => toast(err.message, 'bad'),
  })
  const remove = useMutation({
    mutationFn: (q: Query) => send('DELETE', `/queries/${q.id}`),
    onSuccess: () => { void client.invalidateQueries({ queryKey: ['queries'] }); void navigate({ to: '/library' }) },
    onError: (err) => toast(err.message, 'bad'),
  })
  const saved = query && !query.draft ? query : null
  return (
    <header className="title-bar">
      <Button look="quiet" small aria-label={side ? t.query.hideSchema : t.query.showSchema} aria-pressed={side} icon={<PanelLeft size={16} aria-hidden="true" />} onClick={() => onSide(!side)} />
      <h1>{query?.title || t.query.untitled}</h1>
      {saved && <Badge>{t.query.version(version?.version ?? saved.version).toLowerCase()}</Badge>}
      {saved?.tags.map((x) => <Badge key={x} tone="info">{x}</Badge>)}
      <Saved state={state} dirty={dirty} />
      <span className="grow" />
      {saved && (
        <Button look="quiet" small aria-pressed={saved.starred} aria-label={saved.starred ? t.query.unstar : t.query.star} className={cx(saved.starred && 'starred')} icon={<Star size={16} aria-hidden="true" />} onClick={() => star.mutate(saved)} />
      )}
      {query && (
        <Menu
          trigger={<Button look="quiet" small aria-label={t.more} icon={<Ellipsis size={16} aria-hidden="true" />} />}
          items={[
            { label: t.query.share, icon: <Link2 size={14} aria-hidden="true" />, onSelect: () => void copyText(pageUrl(`/${query.draft ? 'd' : 'q'}/${short(query.id)}`), t.run.linkCopied) },
            ...(query.draft ? [] : [{ label: t.query.latestLink, icon: <ChartNoAxesColumn size={14} aria-hidden="true" />, onSelect: () => void copyText(pageUrl(`/q/${short(query.id)}/latest`), t.run.linkCopied) }]),
            { label: t.query.fork, icon: <GitFork size={14} aria-hidden="true" />, onSelect: () => fork.mutate(query) },
            ...(query.can.delete ? [null, { label: t.delete, danger: true, icon: <Trash2 size={14} aria-hidden="true" />, onSelect: () => setDeleting(true) }] : []),
          ]}
        />
      )}
      {saved && <Button small icon={<History size={14} aria-hidden="true" />} onClick={onVersions}>{t.query.versions}</Button>}
      <Button small icon={<Save size={14} aria-hidden="true" />} disabled={saving} onClick={onSave} title={keys('mod+S')}>{t.query.save}</Button>
      {query && <Confirm open={deleting} onOpen={setDeleting} title={t.query.deleteQuestion} text={t.query.deleteText} action={t.delete} onYes={() => remove.mutate(query)} />}
    </header>
  )
}

function Saved({ state, dirty }: { state: SaveState; dirty: boolean }) {
  if (state === 'local') return <span className="saved warn-text" role="status"><CloudOff size={13} aria-hidden="true" />{t.query.draftLocal}</span>
  if (state === 'saving' || state === 'dirty') return <span className="saved" role="status"><LoaderCircle size={13} className={cx(state === 'saving' && 'spin')} aria-hidden="true" />{t.query.draftSaving}</span>
  if (dirty) return <span className="saved" role="status">{t.query.unsavedEdits}</span>
  if (state === 'saved') return <span className="saved" role="status"><Check size={13} aria-hidden="true" />{t.query.draftSaved}</span>
  return <span className="saved" role="status" />
}
