import { forwardRef, useEffect, useImperativeHandle, useRef } from 'react'
import type { Completions } from '../api/types'
import { useLatest } from '../parts'
import type { Dialect } from '../sql/lexer'
import { createEditor, type Commands, type Editor } from './create'

interface Props { initial: string; dialect: Dialect; catalog: Completions | undefined; commands: Commands; readOnly?: boolean; autoFocus?: boolean }

/** The editor in the page. The text lives in it, not in React. */
export const SqlEditor = forwardRef<Editor | null, Props>(function SqlEditor({ initial, dialect, catalog, commands, readOnly = false, autoFocus = false }, ref) {
  const host = useRef<HTMLDivElement>(null)
  const editor = useRef<Editor | null>(null)
  const latest = useLatest({ catalog, commands })
  const first = useRef({ initial, autoFocus })

  useEffect(() => {
    if (!host.current) return
    const text = editor.current?.text() ?? first.current.initial
    const made = createEditor(host.current, text, dialect, () => latest.current.catalog, () => latest.current.commands)
    editor.current = made
    if (first.current.autoFocus) made.focus()
    return () => {
      first.current = { initial: made.text(), autoFocus: false }
      made.destroy()
      editor.current = null
    }
  }, [dialect, latest])
  useEffect(() => editor.current?.setReadOnly(readOnly), [readOnly])

  useImperativeHandle(ref, () => ({
    text: () => editor.current?.text() ?? first.current.initial,
    setText: (x) => editor.current?.setText(x),
    insert: (x) => editor.current?.insert(x),
    current: () => editor.current?.current() ?? null,
    selection: () => editor.current?.selection() ?? null,
    mark: (o, m) => editor.current?.mark(o, m),
    unmark: () => editor.current?.unmark(),
    setReadOnly: (on) => editor.current?.setReadOnly(on),
    focus: () => editor.current?.focus(),
    destroy: () => editor.current?.destroy(),
  }), [])

  return <div ref={host} className="editor" />
})
