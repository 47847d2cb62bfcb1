import { useVirtualizer } from '@tanstack/react-virtual'
import { ChevronRight, Columns3, Eye, Plus, Table2 } from 'lucide-react'
import { useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { Completions } from '../api/types'
import { useCompletions } from '../api/hooks'
import { cx, Empty, Failure, Input, Skeleton } from '../parts'
import { quoteName } from '../sql/complete'
import { t } from '../strings'

interface Node { key: string; level: 1 | 2 | 3; name: string; detail: string; kind: string; open: boolean | null; insert: string }

/** The tree as a flat list of what is open; a search opens what matches. */
export function nodesOf(data: Completions, open: ReadonlySet<string>, search: string): Node[] {
  const out: Node[] = []
  const q = search.trim().toLowerCase()
  for (const s of data.schemas) {
    const tables = q === '' ? s.tables : s.tables.filter((x) => `${s.name}.${x.name}`.toLowerCase().includes(q) || x.columns.some(([c]) => c.toLowerCase().includes(q)))
    if (q !== '' && tables.length === 0) continue
    const key = s.name
    const isOpen = q !== '' || open.has(key)
    out.push({ key, level: 1, name: s.name, detail: String(s.tables.length), kind: 'schema', open: isOpen, insert: quoteName(s.name) })
    if (!isOpen) continue
    const near = data.search_path.includes(s.name)
    for (const x of tables) {
      const tableKey = `${key}.${x.name}`
      const byColumn = q !== '' && !`${s.name}.${x.name}`.toLowerCase().includes(q)
      const tableOpen = open.has(tableKey) || byColumn
      out.push({ key: tableKey, level: 2, name: x.name, detail: '', kind: x.kind, open: tableOpen, insert: near ? quoteName(x.name) : `${quoteName(s.name)}.${quoteName(x.name)}` })
      if (!tableOpen) continue
      for (const [name, type] of x.columns) {
        if (byColumn && !open.has(tableKey) && !name.toLowerCase().includes(q)) continue
        out.push({ key: `${tableKey}.${name}`, level: 3, name, detail: type, kind: 'column', open: null, insert: quoteName(name) })
      }
    }
  }
  return out
}

/** What is open at first: the schema whose tables need no prefix, else the one with most tables. */
export function firstOpen(data: Completions | undefined): Set<string> {
  const filled = data?.schemas.filter((s) => s.tables.length > 0) ?? []
  const near = data?.search_path.find((name) => filled.some((s) => s.name === name))
  const first = near ?? filled.toSorted((a, b) => b.tables.length - a.tables.length)[0]?.name
  return new Set(first === undefined ? [] : [first])
}

export function Schema({ target, onInsert }: { target: string | undefined; onInsert: (text: string) => void }) {
  const catalog = useCompletions(target)
  const [search, setSearch] = useState('')
  const [toggled, setToggled] = useState<ReadonlySet<string> | null>(null)
  const data = catalog.data
  const open = useMemo(() => toggled ?? firstOpen(data), [toggled, data])
  const nodes = useMemo(() => (data ? nodesOf(data, open, search) : []), [data, open, search])
  const toggle = (key: string) => setToggled(() => {
    const next = new Set(open)
    if (next.has(key)) next.delete(key)
    else next.add(key)
    return next
  })
  return (
    <section className="schema" aria-label={t.query.schema}>
      <Input className="schema-search" hideLabel label={t.query.schemaSearch} placeholder={t.query.schemaSearch} type="search" value={search} onChange={(e) => setSearch(e.target.value)} />
      {catalog.isPending && target !== undefined && <Skeleton rows={8} />}
      {catalog.isError && <Failure error={catalog.error} onRetry={() => void catalog.refetch()} />}
      {data && nodes.length === 0 && <Empty title={search ? t.query.schemaNone : t.query.schemaEmpty} />}
      {nodes.length > 0 && <Tree nodes={nodes} onToggle={toggle} onInsert={onInsert} />}
    </section>
  )
}

function Tree({ nodes, onToggle, onInsert }: { nodes: Node[]; onToggle: (key: string) => void; onInsert: (text: string) => void }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const list = useVirtualizer({ count: nodes.length, getScrollElement: () => scroller.current, estimateSize: () => 26, overscan: 12 })
  const at = Math.min(active, nodes.length - 1)
  const go = (i: number) => {
    const to = Math.max(0, Math.min(i, nodes.length - 1))
    setActive(to)
    list.scrollToIndex(to)
  }
  const onKeyDown = (e: KeyboardEvent) => {
    const node = nodes[at]
    if (!node) return
    const parent = () => { for (let i = at - 1; i >= 0; i--) if (nodes[i]!.level < node.level) return i; return at }
    const acts: Record<string, () => void> = {
      ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), Home: () => go(0), End: () => go(nodes.length - 1),
      ArrowRight: () => (node.open === false ? onToggle(node.key) : go(at + 1)),
      ArrowLeft: () => (node.open ? onToggle(node.key) : go(parent())),
      Enter: () => onInsert(node.insert), ' ': () => (node.open === null ? onInsert(node.insert) : onToggle(node.key)),
    }
    const act = acts[e.key]
    if (!act) return
    e.preventDefault()
    act()
  }
  return (
    <div ref={scroller} className="tree" role="tree" tabIndex={0} aria-label={t.query.schema} aria-activedescendant={`tree-${at}`} onKeyDown={onKeyDown}>
      <div style={{ height: list.getTotalSize() }} role="presentation" className="tree-space">
        {list.getVirtualItems().map((item) => {
          const n = nodes[item.index]!
          return (
            <div
              key={n.key} id={`tree-${item.index}`} role="treeitem" aria-level={n.level} aria-expanded={n.open ?? undefined} aria-selected={item.index === at} aria-label={`${n.name} ${n.detail}`.trim()}
              className={cx('node', `l${n.level}`, item.index === at && 'on')} style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => { setActive(item.index); if (n.open !== null) onToggle(n.key) }} onDoubleClick={() => { if (n.open === null) onInsert(n.insert) }}
            >
              {n.open !== null ? <ChevronRight size={13} className={cx('twist', n.open && 'open')} aria-hidden="true" /> : <span className="twist" />}
              {n.kind === 'schema' ? null : n.kind === 'column' ? <Columns3 size={12} aria-hidden="true" className="faint" /> : n.kind.includes('view') ? <Eye size={13} aria-hidden="true" className="faint" /> : <Table2 size={13} aria-hidden="true" className="faint" />}
              <span className="node-name">{n.name}</span>{' '}
              <span className="node-detail">{n.detail}</span>
              {n.level > 1 && <button type="button" tabIndex={-1} className="node-add" aria-label={t.query.insert(n.name)} onClick={(e) => { e.stopPropagation(); onInsert(n.insert) }}><Plus size={13} aria-hidden="true" /></button>}
            </div>
          )
        })}
      </div>
    </div>
  )
}
