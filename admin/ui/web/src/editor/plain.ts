// What the text looks like before the editor is there: its tokens in the editor's
// colours, and the lines that the gutter marks.
import { tokens, type Dialect } from '../sql/lexer'
import { isKeyword } from '../sql/complete'
import type { Statement } from '../sql/split'

export interface Piece { text: string; look: 'keyword' | 'string' | 'number' | 'comment' | null }

const looks: Partial<Record<string, Piece['look']>> = {
  'line-comment': 'comment', 'block-comment': 'comment', string: 'string', estring: 'string', ustring: 'string', bitstring: 'string', dollar: 'string', number: 'number',
}

/** The text in pieces that look alike, side by side, nothing left out. */
export function pieces(text: string, dialect: Dialect): Piece[] {
  const out: Piece[] = []
  const add = (piece: string, look: Piece['look']) => {
    const last = out.at(-1)
    if (piece === '') return
    if (last && last.look === look) last.text += piece
    else out.push({ text: piece, look })
  }
  let at = 0
  for (const token of tokens(text, { dialect, binds: true })) {
    add(text.slice(at, token.start), null)
    const word = text.slice(token.start, token.end)
    add(word, token.kind === 'word' && isKeyword(word) ? 'keyword' : (looks[token.kind] ?? null))
    at = token.end
  }
  add(text.slice(at), null)
  return out
}

/** The first and the last line of a statement, counted from 0. */
export function linesOf(text: string, statement: Statement | null): { first: number; last: number } | null {
  if (!statement) return null
  const line = (offset: number) => text.slice(0, offset).split('\n').length - 1
  return { first: line(statement.start), last: line(statement.end) }
}
