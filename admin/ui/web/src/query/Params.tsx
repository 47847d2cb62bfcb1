import type { QueryParam } from '../api/types'
import { Input, Select } from '../parts'
import { t } from '../strings'

const types = ['text', 'int8', 'numeric', 'float8', 'bool', 'date', 'timestamptz', 'timestamp', 'uuid', 'text[]', 'int8[]', 'date[]']

/** A first type from the name: dates are mostly called so. */
export function guessType(name: string): string {
  if (/(^|_)(ids|courses)$/i.test(name)) return 'int8[]'
  if (/(^|_)(id|n|count|limit|year)$/i.test(name)) return 'int8'
  if (/(^|_)(since|until|from|to|day|date|start|end)$/i.test(name)) return 'date'
  return 'text'
}

export interface ParamValue { type: string; text: string; isNull: boolean }

/** What the API takes: text as the type writes it, a list for an array, or null. */
export function paramOf(name: string, v: ParamValue): { name: string; type: string; value: unknown } {
  if (v.isNull) return { name, type: v.type, value: null }
  if (v.type.endsWith('[]')) return { name, type: v.type, value: v.text.split(',').map((x) => x.trim()).filter((x) => x !== '') }
  return { name, type: v.type, value: v.text }
}

export function savedParam(name: string, v: ParamValue): QueryParam {
  return { name, type: v.type, default: v.isNull ? null : v.text }
}

const inputType = (type: string) => (type === 'date' ? 'date' : 'text')

export function Params({ names, values, choices, onChange }: { names: string[]; values: Record<string, ParamValue>; choices: Record<string, string[]>; onChange: (name: string, v: ParamValue) => void }) {
  if (names.length === 0) return null
  return (
    <fieldset className="params">
      <legend className="hidden">{t.query.params}</legend>
      {names.map((name) => {
        const v = values[name] ?? { type: guessType(name), text: '', isNull: false }
        const list = choices[name]
        return (
          <div key={name} className="param">
            {list ? (
              <Select label={':' + name} value={v.text} disabled={v.isNull} onChange={(e) => onChange(name, { ...v, text: e.target.value })}>
                {list.map((c) => <option key={c}>{c}</option>)}
              </Select>
            ) : (
              <Input label={':' + name} type={inputType(v.type)} value={v.text} disabled={v.isNull} onChange={(e) => onChange(name, { ...v, text: e.target.value })} />
            )}
            <Select hideLabel label={t.query.paramType(name)} value={v.type} onChange={(e) => onChange(name, { ...v, type: e.target.value })}>
              {(types.includes(v.type) ? types : [v.type, ...types]).map((x) => <option key={x}>{x}</option>)}
            </Select>
            <label className="tick"><input type="checkbox" aria-label={t.query.paramNull(name)} checked={v.isNull} onChange={(e) => onChange(name, { ...v, isNull: e.target.checked })} />{t.grid.null}</label>
          </div>
        )
      })}
    </fieldset>
  )
}
