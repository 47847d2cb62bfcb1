import type { Statement } from '../sql/split'

/** What the keys in the editor do to the page. */
export interface Commands {
  runCurrent: () => void
  runAll: () => void
  cancel: () => void
  save: () => void
  format: () => void
  explain: () => void
  changed: (text: string) => void
}

/** The editor as the rest of the page sees it. */
export interface Editor {
  text(): string
  setText(text: string): void
  insert(text: string): void
  current(): Statement | null
  selection(): { start: number; end: number } | null
  mark(offset: number, message: string): void
  unmark(): void
  focus(): void
}
