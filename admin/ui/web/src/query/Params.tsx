import { ChevronDown } from 'lucide-react'
import { useId, useState } from 'react'
import { Button, Input, Popover, Select } from '../parts'
import { t } from '../strings'
import { choicesOf, fieldId, freshParam, isList, paramTypes, withChoices, type ParamValue } from './params'

const inputType = (type: string) => (type === 'date' ? 'date' : 'text')

interface Props { names: string[]; values: Record<string, ParamValue>; draft: boolean; fixed: boolean; onChange: (name: string, v: ParamValue) => void }

/** A field for each :name of the text, with a menu that says what may stand in it. */
export function Params({ names, values, draft, fixed, onChange }: Props) {
  if (names.length === 0) return null
  return (
    <fieldset className="params">
      <legend className="hidden">{t.query.params}</legend>
      {names.map((name) => {
        const v = values[name] ?? freshParam(name)
        const change = (next: ParamValue) => onChange(name, next)
        return (
          <div key={name} className="param">
            <Field id={fieldId(name)} label={':' + name} v={v} value={v.text} disabled={v.isNull} onChange={(text) => change({ ...v, text })} />
            {fixed ? <span className="param-type">{v.type}</span> : <Declaration name={name} v={v} draft={draft} onChange={change} />}
            <label className="tick"><input type="checkbox" aria-label={t.query.paramNull(name)} checked={v.isNull} onChange={(e) => change({ ...v, isNull: e.target.checked })} />{t.grid.null}</label>
          </div>
        )
      })}
    </fieldset>
  )
}

/** One of the choices, or whatever the type takes. */
function Field({ id, label, v, value, none, disabled = false, onChange }: { id?: string; label: string; v: ParamValue; value: string; none?: string; disabled?: boolean; onChange: (text: string) => void }) {
  if (v.choices.length > 0 && !isList(v.type)) {
    return (
      <Select {...(id ? { id } : {})} label={label} value={value} disabled={disabled} onChange={(e) => onChange(e.target.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {none === undefined && !v.choices.includes(value) && <option>{value}</option>}
        {v.choices.map((c) => <option key={c}>{c}</option>)}
      </Select>
    )
  }
  return <Input {...(id ? { id } : {})} label={label} type={inputType(v.type)} value={value} disabled={disabled} title={isList(v.type) ? t.query.paramList : undefined} onChange={(e) => onChange(e.target.value)} />
}

/** The menu of a parameter: its type, the values it allows, and the one it begins with. */
function Declaration({ name, v, draft, onChange }: { name: string; v: ParamValue; draft: boolean; onChange: (v: ParamValue) => void }) {
  const id = useId()
  const [open, setOpen] = useState(false)
  const [lines, setLines] = useState('')
  const take = (): ParamValue => {
    const choices = choicesOf(lines)
    return choices.join('\n') === v.choices.join('\n') ? v : withChoices(v, choices)
  }
  const toggle = (on: boolean) => {
    if (on) setLines(v.choices.join('\n'))
    else if (take() !== v) onChange(take())
    setOpen(on)
  }
  // Of a draft the value in the field is the default; a field nobody touched follows it.
  const now = open ? take() : v
  const preset = (text: string) => onChange({ ...now, preset: text === '' ? null : text, ...(draft || now.text === (now.preset ?? '') ? { text } : {}) })
  return (
    <Popover
      label={t.query.paramMenu(name)} open={open} onOpen={toggle}
      trigger={<button type="button" className="param-type"><span className="hidden">{t.query.paramMenu(name)}: </span>{v.type}{v.choices.length > 0 && <span className="faint"> {t.query.paramChoiceCount(v.choices.length)}</span>}<ChevronDown size={12} aria-hidden="true" /></button>}
    >
      <div className="stack">
        <p className="popover-title mono">:{name}</p>
        <Select label={t.query.paramType(name)} value={v.type} onChange={(e) => onChange({ ...take(), type: e.target.value })}>
          {(paramTypes.includes(v.type) ? paramTypes : [v.type, ...paramTypes]).map((x) => <option key={x}>{x}</option>)}
        </Select>
        <div className="field">
          <label htmlFor={id}>{t.query.paramChoices}</label>
          <textarea id={id} rows={4} value={lines} spellCheck={false} placeholder={t.query.paramAny} onChange={(e) => setLines(e.target.value)} onBlur={() => { if (take() !== v) onChange(take()) }} />
        </div>
        <Field label={t.query.paramDefault} v={now} value={draft ? now.text : (now.preset ?? '')} none={t.query.paramNoDefault} onChange={preset} />
        <footer className="modal-foot"><Button small look="primary" onClick={() => toggle(false)}>{t.done}</Button></footer>
      </div>
    </Popover>
  )
}
