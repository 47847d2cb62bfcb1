import { forwardRef, useImperativeHandle, useMemo, useRef, useState, type KeyboardEvent as ReactKeyboardEvent } from 'react'
import type { Dialect } from '../sql/lexer'
import { split, statementAt } from '../sql/split'
import { t } from '../strings'
import { linesOf, pieces } from './plain'

/** The plain field as whoever replaces it sees it. */
export interface Field {
  place(): { anchor: number; head: number; top: number }
  focused(): boolean
}

interface Props {
  text: string; dialect: Dialect; readOnly: boolean
  onChange: (text: string) => void
  /** Somebody turns to the text; a key that only the editor knows comes along. */
  onTurn: (what?: { key: KeyboardEvent }) => void
  onComposing: (on: boolean) => void
}

/** The text in a field of the same size and look as the editor, without the editor's code. */
export const PlainText = forwardRef<Field, Props>(function PlainText({ text, dialect, readOnly, onChange, onTurn, onComposing }, ref) {
  const box = useRef<HTMLDivElement>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const [head, setHead] = useState(0)
  const shown = useMemo(() => pieces(text, dialect), [text, dialect])
  const marked = useMemo(() => linesOf(text, statementAt(text, split(text, { dialect, binds: true }), head)), [text, dialect, head])
  const lines = text.split('\n').length

  useImperativeHandle(ref, () => ({
    place: () => {
      const a = area.current
      const [from, to] = a ? [a.selectionStart, a.selectionEnd] : [0, 0]
      const backward = a?.selectionDirection === 'backward'
      return { anchor: backward ? to : from, head: backward ? from : to, top: box.current?.scrollTop ?? 0 }
    },
    focused: () => document.activeElement === area.current,
  }), [])

  const onKeyDown = (e: ReactKeyboardEvent) => {
    const editorsOwn = ((e.ctrlKey || e.metaKey) && ['/', 'f', 'd', ' '].includes(e.key) && !e.shiftKey) || e.key === 'F3'
    if (editorsOwn) e.preventDefault()
    onTurn(editorsOwn ? { key: e.nativeEvent } : undefined)
  }
  return (
    <div ref={box} className="bare" onPointerEnter={() => onTurn()}>
      <div className="bare-gutter" aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => <i key={i} className={marked && i >= marked.first && i <= marked.last ? 'on' : undefined}>{i + 1}</i>)}
      </div>
      <div className="bare-text">
        <pre aria-hidden="true">{shown.map((p, i) => (p.look ? <span key={i} className={`sql-${p.look}`}>{p.text}</span> : p.text))}{'\n'}</pre>
        <textarea
          ref={area} aria-label={t.query.editor} value={text} readOnly={readOnly} wrap="off" spellCheck={false} autoCapitalize="off" autoCorrect="off" autoComplete="off" placeholder={t.query.placeholder}
          onChange={(e) => { setHead(e.target.selectionEnd); onChange(e.target.value) }} onSelect={(e) => setHead(e.currentTarget.selectionEnd)} onFocus={() => onTurn()} onKeyDown={onKeyDown}
          onCompositionStart={() => onComposing(true)} onCompositionEnd={() => onComposing(false)}
        />
      </div>
    </div>
  )
})
