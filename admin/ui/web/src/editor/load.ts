// The big editor is a chunk of its own. Most pages want it at once; one that opens on a
// chart shows the text plainly, and asks for it when somebody turns to the text.
import type { createEditor } from './create'

type Create = typeof createEditor

let here: Create | null = null
let coming: Promise<Create> | null = null

/** The editor, if its code is in this page already. */
export function editorHere(): Create | null {
  return here
}

/** Fetches the editor's code once; a fetch that failed may be asked for again. */
export function fetchEditor(): Promise<Create> {
  coming ??= import('./create').then(
    (m) => (here = m.createEditor),
    (err: unknown) => { coming = null; throw err },
  )
  return coming
}
