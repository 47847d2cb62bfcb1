import { EditorView } from '@codemirror/view'

/**
 * Types over what is selected by a change of the text. Left to itself the browser
 * first puts the new text into the page with the look of the old as an inline
 * style, which the page's policy of content refuses and reports.
 */
export const typeOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { ranges, main } = view.state.selection
    const text = event.data
    if (event.inputType !== 'insertText' || !text || event.isComposing || view.composing || view.state.readOnly) return false
    if (ranges.length > 1 || main.empty) return false
    const change = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true })
    const handled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, text, change))
    if (!handled) view.dispatch(change())
    event.preventDefault()
    return true
  },
})
