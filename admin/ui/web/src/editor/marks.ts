// The mark in the gutter, on the statement that mod+Enter runs.
import { RangeSet, StateField, type EditorState, type Extension } from '@codemirror/state'
import { Decoration, EditorView, gutter, GutterMarker, type DecorationSet } from '@codemirror/view'
import type { Dialect } from '../sql/lexer'
import { split, statementAt, type Statement } from '../sql/split'

export interface Known { statements: Statement[]; current: Statement | null }

export function marks(dialect: Dialect, label: string): { field: StateField<Known>; extension: Extension } {
  const mode = { dialect, binds: true }
  const look = (state: EditorState, statements?: Statement[]): Known => {
    const text = state.doc.toString()
    const all = statements ?? split(text, mode)
    return { statements: all, current: statementAt(text, all, state.selection.main.head) }
  }
  const field = StateField.define<Known>({
    create: (state) => look(state),
    update: (known, tr) => (tr.docChanged ? look(tr.state) : tr.selection ? look(tr.state, known.statements) : known),
  })

  const marker = new (class extends GutterMarker {
    override toDOM() {
      const el = document.createElement('i')
      el.className = 'cm-run-mark'
      el.title = label
      return el
    }
  })()
  const line = Decoration.line({ class: 'cm-run-line' })

  const lines = (state: EditorState): number[] => {
    const { statements, current } = state.field(field)
    if (!current) return []
    const first = state.doc.lineAt(current.start).number
    const last = state.doc.lineAt(Math.min(current.end, state.doc.length)).number
    void statements
    return Array.from({ length: last - first + 1 }, (_, i) => state.doc.line(first + i).from)
  }
  const bar = gutter({
    class: 'cm-run-gutter',
    markers: (view) => RangeSet.of(lines(view.state).map((from) => marker.range(from))),
    initialSpacer: () => marker,
  })
  const tint = EditorView.decorations.compute([field], (state): DecorationSet =>
    state.field(field).statements.length > 1 ? RangeSet.of(lines(state).map((from) => line.range(from))) : Decoration.none)
  return { field, extension: [field, bar, tint] }
}
