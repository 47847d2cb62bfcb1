import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { get } from '../api/client'
import { itemsOf } from '../api/hooks'
import type { List, QueryVersion } from '../api/types'
import { Button, cx, Empty, Failure, Loading, Modal, Time } from '../parts'
import { diffLines } from '../sql/diff'
import { t } from '../strings'

export function Versions({ open, onOpen, id, text, canEdit, onRestore }: { open: boolean; onOpen: (open: boolean) => void; id: string; text: () => string; canEdit: boolean; onRestore: (v: QueryVersion) => void }) {
  const list = useQuery({ queryKey: ['versions', id], enabled: open, queryFn: async ({ signal }) => itemsOf(await get<List<QueryVersion> | QueryVersion[]>(`/queries/${id}/versions`, { signal })) })
  const [chosen, setChosen] = useState<number | null>(null)
  const version = list.data?.find((v) => v.version === chosen) ?? list.data?.[0]
  return (
    <Modal open={open} onOpen={onOpen} title={t.query.versions} wide>
      {list.isPending && <Loading />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data?.length === 0 && <Empty title={t.query.versionsNone} />}
      {version && (
        <div className="versions">
          <ul className="plain-list" aria-label={t.query.versions}>
            {list.data?.map((v) => (
              <li key={v.version}>
                <button type="button" className={cx('version', v === version && 'on')} aria-pressed={v === version} onClick={() => setChosen(v.version)}>
                  <b>{t.query.version(v.version)}</b>
                  <span className="faint">{typeof v.by === 'string' ? v.by : v.by.name || v.by.login} · <Time at={v.at} /></span>
                </button>
              </li>
            ))}
          </ul>
          <Diff before={version.sql} after={text()} />
        </div>
      )}
      {version && canEdit && <footer className="modal-foot"><Button look="primary" onClick={() => { onRestore(version); onOpen(false) }}>{t.query.restore}</Button></footer>}
    </Modal>
  )
}

function Diff({ before, after }: { before: string; after: string }) {
  const lines = useMemo(() => diffLines(before, after), [before, after])
  const same = lines.every((l) => l.kind === 'same')
  return (
    <div className="diff-box">
      <p className="hint">{same ? t.query.diffSame : t.query.diffWithNow}</p>
      <div className="diff" tabIndex={0} role="region" aria-label={t.query.diffWithNow}>
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
