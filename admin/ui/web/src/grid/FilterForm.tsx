import { useState } from 'react'
import type { Filter, FilterOp } from '../api/types'
import { Button, Input, Select } from '../parts'
import { t } from '../strings'

const ops = Object.keys(t.grid.ops) as FilterOp[]
const bare = (op: FilterOp) => op === 'isnull' || op === 'notnull'

export function FilterForm({ title, col, filter, onDone }: { title: string; col: string; filter: Filter | null; onDone: (f: Filter | null) => void }) {
  const [op, setOp] = useState<FilterOp>(filter?.op ?? 'contains')
  const [value, setValue] = useState(filter?.value ?? '')
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); onDone(bare(op) ? { col, op } : { col, op, value }) }}>
      <p className="popover-title">{title}</p>
      <Select label={t.grid.op} value={op} onChange={(e) => setOp(e.target.value as FilterOp)}>
        {ops.map((o) => <option key={o} value={o}>{t.grid.ops[o]}</option>)}
      </Select>
      {!bare(op) && <Input label={t.grid.value} value={value} onChange={(e) => setValue(e.target.value)} autoFocus />}
      <div className="row end">
        {filter && <Button look="quiet" onClick={() => onDone(null)}>{t.grid.remove}</Button>}
        <Button look="primary" type="submit">{t.grid.apply}</Button>
      </div>
    </form>
  )
}
