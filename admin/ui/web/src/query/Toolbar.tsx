import { ChevronDown, Play, Square, WandSparkles } from 'lucide-react'
import type { Target } from '../api/types'
import { count } from '../format'
import { Button, keys, Menu, Segmented, Select } from '../parts'
import { t } from '../strings'

const offered = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]

interface Props {
  active: boolean; stopping: boolean; canCancel: boolean; target: Target | undefined; readOnly: boolean
  access: 'read_only' | 'read_write'; onAccess: (a: 'read_only' | 'read_write') => void; maxRows: number; onMaxRows: (n: number) => void
  onRun: () => void; onRunAll: () => void; onExplain: () => void; onCancel: () => void; onFormat: () => void
}

export function Toolbar(p: Props) {
  return (
    <div className="toolbar" role="toolbar" aria-label={t.query.title}>
      {p.active ? (
        <Button look="danger" icon={<Square size={13} aria-hidden="true" />} disabled={p.stopping || !p.canCancel} onClick={p.onCancel} title={keys('mod+.')}>{p.stopping ? t.query.canceling : t.query.cancelRun}</Button>
      ) : (
        <span className="joined">
          <Button look="primary" icon={<Play size={13} aria-hidden="true" />} disabled={!p.target} onClick={p.onRun} title={`${t.query.runHint} (${keys('mod+Enter')})`}>{t.query.run}</Button>
          <Menu
            trigger={<Button look="primary" aria-label={t.query.runMore} disabled={!p.target} icon={<ChevronDown size={14} aria-hidden="true" />} />}
            items={[{ label: t.query.runHint, keys: keys('mod+Enter'), onSelect: p.onRun }, { label: t.query.runAll, keys: keys('mod+Shift+Enter'), onSelect: p.onRunAll }, null, { label: t.query.explainHint, keys: keys('mod+E'), onSelect: p.onExplain }]}
          />
        </span>
      )}
      {p.target && <span className="toolbar-target" title={p.target.database}>{p.target.title || p.target.name}</span>}
      <Segmented label={t.query.access} value={p.access} onChange={p.onAccess} options={[{ value: 'read_only', label: t.query.readOnly }, { value: 'read_write', label: t.query.readWrite }]} />
      <Select className="inline" label={t.query.limit} value={p.maxRows} onChange={(e) => p.onMaxRows(Number(e.target.value))}>
        {(offered.includes(p.maxRows) ? offered : [...offered, p.maxRows]).map((n) => <option key={n} value={n}>{count(n)}</option>)}
      </Select>
      <span className="grow" />
      <Button look="quiet" icon={<WandSparkles size={14} aria-hidden="true" />} disabled={p.readOnly} onClick={p.onFormat} title={keys('mod+Shift+F')}>{t.query.format}</Button>
    </div>
  )
}
