import { useSyncExternalStore } from 'react'

interface Toast { id: number; text: string; tone: 'plain' | 'bad' }

let toasts: Toast[] = []
let serial = 0
const listeners = new Set<() => void>()

function set(next: Toast[]): void {
  toasts = next
  for (const f of listeners) f()
}

/** Says one line for a few seconds. */
export function toast(text: string, tone: Toast['tone'] = 'plain'): void {
  const id = ++serial
  set([...toasts.slice(-2), { id, text, tone }])
  setTimeout(() => set(toasts.filter((x) => x.id !== id)), tone === 'bad' ? 8000 : 3500)
}

export function Toasts() {
  const now = useSyncExternalStore((f) => { listeners.add(f); return () => listeners.delete(f) }, () => toasts)
  return (
    <div className="toasts" role="status" aria-live="polite">
      {now.map((x) => <div key={x.id} className={`toast ${x.tone}`}>{x.text}</div>)}
    </div>
  )
}
