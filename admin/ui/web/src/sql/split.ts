import { insignificant, Lexer, type Mode, type Token } from './lexer'

export interface Span {
  start: number
  end: number
}

export interface Statement extends Span {
  /** The tokens the grammar sees, of this statement only. */
  tokens: Token[]
}

// atomicBody recognises CREATE [OR REPLACE] FUNCTION|PROCEDURE … BEGIN ATOMIC … END,
// the one place where a semicolon stands inside a statement without parentheses.
class AtomicBody {
  depth = 0
  private stage = 0
  private begin = false

  other(): void {
    if (this.stage < 100) this.stage = -1
    this.begin = false
  }

  word(word: string): void {
    const w = word.toLowerCase()
    const begin = this.begin
    this.begin = false
    if (this.depth > 0) {
      if (w === 'case') this.depth++
      else if (w === 'end') this.depth--
    } else if (this.stage === 100) {
      if (begin && w === 'atomic') this.depth = 1
      this.begin = w === 'begin'
    } else if (
      (this.stage === 0 && w === 'create') || (this.stage === 1 && w === 'or') || (this.stage === 2 && w === 'replace')
    ) {
      this.stage++
    } else if ((this.stage === 1 || this.stage === 3) && (w === 'function' || w === 'procedure')) {
      this.stage = 100
    } else {
      this.stage = -1
    }
  }
}

/** The statements of a text: first to last token that means something, without the semicolon. */
export function split(src: string, mode: Mode): Statement[] {
  const out: Statement[] = []
  const lexer = new Lexer(src, mode)
  let current: Statement | null = null
  let depth = 0
  let body = new AtomicBody()
  for (let t = lexer.next(); t; t = lexer.next()) {
    if (insignificant(t.kind)) continue
    let separates = false
    if (t.kind === 'punct') {
      const c = src[t.start]
      if (c === '(') depth++
      if (c === ')') depth = Math.max(0, depth - 1)
      if (c === ';') separates = depth === 0 && body.depth === 0
      else body.other()
    } else if (t.kind === 'word') {
      if (mode.dialect === 'postgres' && depth === 0) body.word(src.slice(t.start, t.end))
    } else {
      body.other()
    }
    if (separates) {
      if (current) {
        out.push(current)
        current = null
        depth = 0
        body = new AtomicBody()
      }
      continue
    }
    current ??= { start: t.start, end: t.end, tokens: [] }
    current.end = t.end
    current.tokens.push(t)
  }
  if (current) out.push(current)
  return out
}

/** The :names of a text in order of first sight. */
export function bindNames(src: string, mode: Mode): string[] {
  const seen = new Set<string>()
  const lexer = new Lexer(src, { ...mode, binds: true })
  for (let t = lexer.next(); t; t = lexer.next()) {
    if (t.kind === 'bind') seen.add(src.slice(t.start + 1, t.end))
  }
  return [...seen]
}

/**
 * The statement to run with the cursor at pos: the one the cursor stands in or
 * touches, else the one that ends before it on the same line, else the next one.
 */
export function statementAt(src: string, statements: Statement[], pos: number): Statement | null {
  for (const st of statements) {
    if (pos < st.start) break
    if (pos <= st.end) return st
    const gap = src.slice(st.end, pos)
    if (/^\s*;?[^\S\n]*$/.test(gap) && !gap.includes('\n')) return st
  }
  return statements.find((st) => st.start >= pos) ?? statements.at(-1) ?? null
}

/** How many code points lie before a UTF-16 offset. */
export function codePoints(src: string, offset: number): number {
  let n = 0
  for (let i = 0; i < offset && i < src.length; n++) {
    i += src.codePointAt(i)! > 0xffff ? 2 : 1
  }
  return n
}

/** The UTF-16 offset of a code point. */
export function utf16(src: string, points: number): number {
  let i = 0
  for (let n = 0; n < points && i < src.length; n++) {
    i += src.codePointAt(i)! > 0xffff ? 2 : 1
  }
  return i
}
