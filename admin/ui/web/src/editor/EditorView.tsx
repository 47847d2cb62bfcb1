import { forwardRef, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from 'react'
import type { Completions } from '../api/types'
import { useLatest } from '../parts'
import type { Dialect } from '../sql/lexer'
import { split, statementAt } from '../sql/split'
import type { Commands, Editor } from './contract'
import type { Made } from './create'
import { editorHere, fetchEditor } from './load'
import { PlainText, type Field } from './PlainText'

interface Props { initial: string; dialect: Dialect; catalog: Completions | undefined; commands: Commands; readOnly?: boolean; autoFocus?: boolean }

/** What to do as soon as the editor is there. */
interface Later { focus: boolean; key: KeyboardEvent | null; mark: { offset: number; message: string } | null; insert: string | null }

/**
 * The editor in the page. The text lives in it, not in React. Until its code is here
 * the text stands in a plain field, which can be written, run, saved and formatted too;
 * whoever turns to it gets the editor, with the words and the cursor where they were.
 */
export const SqlEditor = forwardRef<Editor | null, Props>(function SqlEditor({ initial, dialect, catalog, commands, readOnly = false, autoFocus = false }, ref) {
  const host = useRef<HTMLDivElement>(null)
  const field = useRef<Field | null>(null)
  const editor = useRef<Made | null>(null)
  const [here] = useState(() => editorHere())
  const [arrived, setArrived] = useState<typeof here>(null)
  const [composing, setComposing] = useState(false)
  // Somebody who composes a character is not interrupted.
  const create = here ?? (composing ? null : arrived)
  const [taken, setTaken] = useState(here !== null)
  const [plain, setPlain] = useState(initial)
  const first = useRef({ text: initial, focus: autoFocus })
  const later = useRef<Later>({ focus: autoFocus, key: null, mark: null, insert: null })
  const latest = useLatest({ catalog, commands })

  const wanted = useRef(false)
  const want = (what: Partial<Later> = {}) => {
    Object.assign(later.current, what)
    if (wanted.current) return
    wanted.current = true
    // Without it the plain field goes on; the next turn to the text asks again.
    fetchEditor().then((made) => setArrived(() => made), () => { wanted.current = false })
  }
  const wantFirst = useLatest(want)
  useEffect(() => { if (first.current.focus && !editor.current) wantFirst.current() }, [wantFirst])

  useLayoutEffect(() => {
    if (!create || !host.current) return
    const made = create(host.current, first.current.text, dialect, () => latest.current.catalog, () => latest.current.commands)
    editor.current = made
    const before = field.current
    const { focus, key, mark, insert } = later.current
    if (before) made.takeOver({ ...before.place(), focus: focus || before.focused(), key })
    else if (first.current.focus) made.focus()
    if (mark) made.mark(mark.offset, mark.message)
    if (insert !== null) made.insert(insert)
    setTaken(true)
    later.current = { focus: false, key: null, mark: null, insert: null }
    return () => {
      first.current = { text: made.text(), focus: false }
      made.destroy()
      editor.current = null
    }
  }, [create, dialect, latest])
  useEffect(() => editor.current?.setReadOnly(readOnly), [readOnly, create, dialect])

  const change = (text: string) => {
    first.current.text = text
    setPlain(text)
    latest.current.commands.changed(text)
  }
  const tools = useLatest({ want, change, dialect })
  useImperativeHandle(ref, () => ({
    text: () => editor.current?.text() ?? first.current.text,
    setText: (x) => (editor.current ? editor.current.setText(x) : tools.current.change(x)),
    insert: (x) => (editor.current ? editor.current.insert(x) : tools.current.want({ insert: (later.current.insert ?? '') + x, focus: true })),
    current: () => {
      if (editor.current) return editor.current.current()
      const { text } = first.current
      return statementAt(text, split(text, { dialect: tools.current.dialect, binds: true }), field.current?.place().head ?? 0)
    },
    selection: () => {
      if (editor.current) return editor.current.selection()
      const at = field.current?.place()
      return !at || at.anchor === at.head ? null : { start: Math.min(at.anchor, at.head), end: Math.max(at.anchor, at.head) }
    },
    mark: (offset, message) => (editor.current ? editor.current.mark(offset, message) : tools.current.want({ mark: { offset, message } })),
    unmark: () => { later.current.mark = null; editor.current?.unmark() },
    focus: () => (editor.current ? editor.current.focus() : tools.current.want({ focus: true })),
  }), [tools])

  return (
    <div className="editor">
      <div ref={host} className="editor-host" />
      {!taken && <PlainText ref={field} text={plain} dialect={dialect} readOnly={readOnly} onChange={change} onTurn={want} onComposing={setComposing} />}
    </div>
  )
})
