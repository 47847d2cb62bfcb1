import { autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap, type Completion, type CompletionContext } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { sql } from '@codemirror/lang-sql'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { lintKeymap, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLineGutter, keymap, lineNumbers, placeholder } from '@codemirror/view'
import type { Completions } from '../api/types'
import { nonce } from '../base'
import { complete, type Option } from '../sql/complete'
import { tokens, type Dialect } from '../sql/lexer'
import { t } from '../strings'
import type { Commands, Editor } from './contract'
import { highlightDialect } from './dialect'
import { marks } from './marks'
import { editorTheme } from './theme'
import { typeOver } from './typeover'

const types: Record<Option['type'], string> = { column: 'property', table: 'type', view: 'type', schema: 'namespace', alias: 'variable', cte: 'variable', function: 'function', keyword: 'keyword' }

function source(dialect: Dialect, catalog: () => Completions | undefined) {
  return (context: CompletionContext) => {
    const data = catalog() ?? { schemas: [], search_path: [], functions: [], version: 0 }
    const found = complete(context.state.doc.toString(), context.pos, data, dialect, context.explicit)
    if (!found || found.options.length === 0) return null
    const options = found.options.map((o): Completion => ({
      label: o.label, apply: o.apply, type: types[o.type], boost: o.boost, ...(o.detail ? { detail: o.detail } : {}),
    }))
    return { from: found.from, options, validFor: /^"?[\w$\u0080-\uffff]*$/ }
  }
}

export interface Made extends Editor {
  setReadOnly(on: boolean): void
  /** Goes on where a plain text field stood: its selection, its place, the focus, a key that only the editor knows. */
  takeOver(from: { anchor: number; head: number; top: number; focus: boolean; key: KeyboardEvent | null }): void
  destroy(): void
}

export function createEditor(parent: HTMLElement, text: string, dialect: Dialect, catalog: () => Completions | undefined, commands: () => Commands): Made {
  const { field, extension } = marks(dialect, t.query.willRun)
  const locked = new Compartment()
  // What is being proposed would lie over the result: it goes, and so does what is still looked for.
  const run = (f: (c: Commands) => void) => (view: EditorView) => { closeCompletion(view); f(commands()); return true }
  const readOnly = (on: boolean): Extension => (on ? [EditorState.readOnly.of(true)] : [])
  const state = EditorState.create({
    doc: text,
    extensions: [
      EditorView.cspNonce.of(nonce),
      keymap.of([
        { key: 'Mod-Enter', run: run((c) => c.runCurrent()) },
        { key: 'Mod-Shift-Enter', run: run((c) => c.runAll()) },
        { key: 'Mod-.', run: run((c) => c.cancel()) },
        { key: 'Mod-s', run: run((c) => c.save()), preventDefault: true },
        { key: 'Mod-e', run: run((c) => c.explain()), preventDefault: true },
        { key: 'Mod-Shift-f', run: run((c) => c.format()), preventDefault: true },
      ]),
      extension, lineNumbers(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
      sql({ dialect: highlightDialect(dialect), upperCaseKeywords: false }),
      autocompletion({ override: [source(dialect, catalog)], activateOnTyping: true, icons: true, maxRenderedOptions: 80 }),
      search({ top: true }), highlightSelectionMatches(),
      keymap.of([...closeBracketsKeymap, ...completionKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap, ...defaultKeymap, indentWithTab]),
      placeholder(t.query.placeholder), EditorView.contentAttributes.of({ 'aria-label': t.query.editor, tabindex: '0', spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off' }),
      locked.of([]),
      EditorView.updateListener.of((u) => { if (u.docChanged) commands().changed(u.state.doc.toString()) }),
      EditorView.domEventHandlers({ blur: (_, view) => { setTimeout(() => { if (!view.hasFocus) closeCompletion(view) }, 20) } }),
      typeOver, editorTheme,
    ],
  })
  const view = new EditorView({ state, parent })
  return {
    text: () => view.state.doc.toString(),
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    insert: (piece) => {
      view.dispatch(view.state.replaceSelection(piece))
      view.focus()
    },
    current: () => view.state.field(field).current,
    selection: () => {
      const { from, to } = view.state.selection.main
      return from === to ? null : { start: from, end: to }
    },
    mark: (offset, message) => {
      const doc = view.state.doc.toString()
      const at = Math.max(0, Math.min(offset, doc.length))
      const token = tokens(doc, { dialect, binds: true }).find((k) => k.start <= at && at < k.end && k.kind !== 'space')
      const from = token ? token.start : Math.max(0, at - 1)
      const to = token ? token.end : Math.min(doc.length, at + 1)
      view.dispatch(setDiagnostics(view.state, [{ from, to, severity: 'error', message }]))
    },
    unmark: () => view.dispatch(setDiagnostics(view.state, [])),
    setReadOnly: (on) => view.dispatch({ effects: locked.reconfigure(readOnly(on)) }),
    focus: () => view.focus(),
    takeOver: ({ anchor, head, top, focus, key }) => {
      view.dispatch({ selection: { anchor, head } })
      if (focus) view.focus()
      view.scrollDOM.scrollTop = top
      if (key) view.contentDOM.dispatchEvent(new KeyboardEvent('keydown', key))
    },
    destroy: () => view.destroy(),
  }
}
