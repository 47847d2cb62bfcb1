import { useNavigate } from '@tanstack/react-router'
import { Dialog } from 'radix-ui'
import { useDeferredValue, useId, useMemo, useState } from 'react'
import { query } from '../api/client'
import { useItems } from '../api/hooks'
import type { Query } from '../api/types'
import { short } from '../base'
import { cx } from '../parts'
import { t } from '../strings'

interface Goal { key: string; group: string; label: string; detail?: string; go: () => void }

const pages: [string, string][] = [['/', t.nav.home], ['/new', t.nav.newQuery], ['/library', t.nav.library], ['/history', t.nav.history], ['/connect', t.nav.connect]]

/** mod+K: anywhere by typing. */
export function Palette({ open, onOpen, admin }: { open: boolean; onOpen: (open: boolean) => void; admin: boolean }) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpen}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="modal palette" aria-describedby={undefined}>
          <Dialog.Title className="hidden">{t.palette.title}</Dialog.Title>
          <Search admin={admin} onDone={() => onOpen(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function Search({ admin, onDone }: { admin: boolean; onDone: () => void }) {
  const navigate = useNavigate()
  const id = useId()
  const [text, setText] = useState('')
  const [active, setActive] = useState(0)
  const wanted = useDeferredValue(text.trim())
  const found = useItems<Query>(['queries', 'palette', wanted], '/queries' + query({ q: wanted, limit: 8 }))

  const goals = useMemo<Goal[]>(() => {
    const q = wanted.toLowerCase()
    const out: Goal[] = []
    const run = /^(?:.*\/r\/|r_)?([0-9A-HJKMNP-TV-Z]{16})(?:\?.*)?$/i.exec(wanted)?.[1]?.toUpperCase()
    if (run) out.push({ key: 'run', group: t.palette.runs, label: t.palette.openRun(run), go: () => void navigate({ to: '/r/$id', params: { id: run } }) })
    for (const [to, label] of admin ? [...pages, ['/people', t.nav.people] as [string, string]] : pages) {
      if (label.toLowerCase().includes(q)) out.push({ key: to, group: t.palette.pages, label, go: () => void navigate({ to, ...(to === '/new' ? { state: { fresh: Date.now() } as object } : {}) }) })
    }
    for (const x of found.data ?? []) out.push({ key: x.id, group: t.palette.queries, label: x.title || t.query.untitled, detail: x.owner.name, go: () => void navigate({ to: x.draft ? '/d/$id' : '/q/$id', params: { id: short(x.id) } }) })
    return out
  }, [wanted, found.data, admin, navigate])
  const at = Math.min(active, Math.max(0, goals.length - 1))
  const choose = (g: Goal | undefined) => { if (g) { onDone(); g.go() } }

  return (
    <>
      <input
        className="palette-input" role="combobox" aria-label={t.palette.placeholder} placeholder={t.palette.placeholder} aria-expanded="true" aria-controls={id} aria-activedescendant={goals.length ? `${id}-${at}` : undefined} autoComplete="off" spellCheck={false}
        value={text} onChange={(e) => { setText(e.target.value); setActive(0) }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown' || e.key === 'ArrowUp') { e.preventDefault(); setActive((at + (e.key === 'ArrowDown' ? 1 : goals.length - 1)) % Math.max(1, goals.length)) }
          if (e.key === 'Enter') { e.preventDefault(); choose(goals[at]) }
        }}
      />
      <div id={id} role="listbox" aria-label={t.palette.title} className="palette-list">
        {goals.map((g, i) => (
          <div key={g.key} role="presentation">
            {g.group !== goals[i - 1]?.group && <p className="palette-group" role="presentation">{g.group}</p>}
            <div id={`${id}-${i}`} role="option" aria-selected={i === at} className={cx('palette-item', i === at && 'on')} onPointerMove={() => setActive(i)} onClick={() => choose(g)}>
              <span>{g.label}</span>{g.detail && <span className="faint">{g.detail}</span>}
            </div>
          </div>
        ))}
        {goals.length === 0 && <p className="hint palette-none">{t.palette.nothing}</p>}
      </div>
    </>
  )
}
