// The house's SQL lexer, the twin of Go's policy/sqllex: it cuts a text into tokens
// without ever failing. Both sides read sql/testdata/split.json in their tests, so
// that the statement the editor marks is the statement the server runs.
//
// Offsets here are UTF-16 units, as the editor counts; codePoints turns them into
// what the API speaks.

export type Dialect = 'postgres' | 'redshift'

/** The dialect of a warehouse, by the name the office gives it. */
export function dialectOf(name: string): Dialect {
  return /redshift/i.test(name) ? 'redshift' : 'postgres'
}

export interface Mode {
  dialect: Dialect
  /** A backslash escapes in plain '…' literals (always so on Redshift). */
  backslash?: boolean
  /** A :name is a token of its own. */
  binds?: boolean
}

export type Kind =
  | 'space' | 'line-comment' | 'block-comment' | 'word' | 'quoted' | 'uquoted' | 'string' | 'estring' | 'ustring'
  | 'bitstring' | 'dollar' | 'number' | 'param' | 'bind' | 'operator' | 'punct' | 'bad'

export interface Token {
  kind: Kind
  start: number
  end: number
}

/** Whether the server's grammar never sees the token. */
export function insignificant(kind: Kind): boolean {
  return kind === 'space' || kind === 'line-comment' || kind === 'block-comment'
}

const SPACE = 1
const START = 2
const NAME = 4
const DIGIT = 8
const OPERATOR = 16

const classes = (() => {
  const table = new Uint8Array(256)
  const mark = (chars: string, bits: number) => {
    for (const c of chars) table[c.charCodeAt(0)]! |= bits
  }
  mark(' \t\n\r\f\v', SPACE)
  mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', START | NAME)
  mark('0123456789', DIGIT | NAME)
  mark('$', NAME)
  mark('~!@#^&|`?+-*/%<>=', OPERATOR)
  for (let i = 128; i < 256; i++) table[i]! |= START | NAME
  return table
})()

/** The class bits of the unit at i: all above 127 are letters, behind the end is nothing. */
function cls(s: string, i: number): number {
  if (i >= s.length || i < 0) return 0
  const c = s.charCodeAt(i)
  return c > 127 ? START | NAME : classes[c]!
}

const isSpace = (s: string, i: number) => (cls(s, i) & SPACE) !== 0
const isStart = (s: string, i: number) => (cls(s, i) & START) !== 0
const isName = (s: string, i: number) => (cls(s, i) & NAME) !== 0
const isDigit = (s: string, i: number) => (cls(s, i) & DIGIT) !== 0
const isOperator = (s: string, i: number) => (cls(s, i) & OPERATOR) !== 0
const isHex = (s: string, i: number) => i < s.length && /[0-9a-fA-F]/.test(s[i]!)

function spaceEnd(s: string, i: number): number {
  while (isSpace(s, i)) i++
  return i
}

function nameEnd(s: string, i: number): number {
  while (isName(s, i)) i++
  return i
}

function lineEnd(s: string, i: number): number {
  while (i < s.length && s[i] !== '\n' && s[i] !== '\r') i++
  return i
}

type Scanned = [Kind, number]

function blockComment(s: string, i: number): Scanned {
  let depth = 1
  for (i += 2; i < s.length; ) {
    if (s[i] === '*' && s[i + 1] === '/') {
      i += 2
      if (--depth === 0) return ['block-comment', i]
    } else if (s[i] === '/' && s[i + 1] === '*') {
      depth++
      i += 2
    } else i++
  }
  return ['bad', s.length]
}

function quotedName(s: string, i: number, kind: Kind): Scanned {
  for (i++; i < s.length; i++) {
    if (s[i] !== '"') continue
    if (s[i + 1] !== '"') return [kind, i + 1]
    i++
  }
  return ['bad', s.length]
}

function quoteEnd(s: string, i: number, escapes: boolean): number {
  for (; i < s.length; i++) {
    if (s[i] === '\\' && escapes) i++
    else if (s[i] !== "'") continue
    else if (s[i + 1] === "'") i++
    else return i + 1
  }
  return -1
}

/** The offset of the quote that continues a literal ended before i on a later line, or -1. */
function continuation(s: string, i: number): number {
  let broken = false
  while (i < s.length) {
    const c = s[i]
    if (c === '\n' || c === '\r') {
      broken = true
      i++
    } else if (isSpace(s, i)) i++
    else if (c === '-' && s[i + 1] === '-') i = lineEnd(s, i)
    else if (c === "'" && broken) return i
    else return -1
  }
  return -1
}

function quoted(s: string, i: number, kind: Kind, escapes: boolean): Scanned {
  for (;;) {
    i = quoteEnd(s, i + 1, escapes)
    if (i < 0) return ['bad', s.length]
    const next = continuation(s, i)
    if (next < 0) return [kind, i]
    i = next
  }
}

function bits(s: string, i: number): Scanned {
  for (;;) {
    const n = s.indexOf("'", i + 1)
    if (n < 0) return ['bad', s.length]
    const end = n + 1
    i = continuation(s, end)
    if (i < 0) return ['bitstring', end]
  }
}

function dollar(s: string, i: number): Scanned {
  if (isDigit(s, i + 1)) {
    for (i++; isDigit(s, i); i++);
    return ['param', i]
  }
  let j = i + 1
  if (isStart(s, j)) for (j++; isName(s, j) && s[j] !== '$'; j++);
  if (s[j] !== '$') return ['bad', i + 1]
  const tag = s.slice(i, j + 1)
  const n = s.indexOf(tag, j + 1)
  return n < 0 ? ['bad', s.length] : ['dollar', n + tag.length]
}

function digitsEnd(s: string, i: number): number {
  while (isDigit(s, i) || (s[i] === '_' && isDigit(s, i + 1))) i++
  return i
}

function numberEnd(s: string, i: number): number {
  if (s[i] === '0' && i + 2 < s.length && 'xXoObB'.includes(s[i + 1]!) && isHex(s, i + 2)) {
    for (i += 2; isHex(s, i) || s[i] === '_'; i++);
    return i
  }
  i = digitsEnd(s, i)
  if (s[i] === '.' && s[i + 1] !== '.') i = digitsEnd(s, i + 1)
  if (s[i] === 'e' || s[i] === 'E') {
    let j = i + 1
    if (s[j] === '+' || s[j] === '-') j++
    if (isDigit(s, j)) i = digitsEnd(s, j)
  }
  return i
}

function operatorEnd(s: string, i: number, dialect: Dialect): number {
  for (i++; isOperator(s, i); i++) {
    if (s[i] === '-' && s[i + 1] === '-') return i
    if (s[i] === '/' && s[i + 1] === '*') return i
    if (s[i] === '#' && dialect === 'redshift' && isStart(s, i + 1)) return i
  }
  return i
}

/** Whether the unit before a colon in brackets ends a value: then the colon is a slice. */
function endsValue(s: string, i: number): boolean {
  return isName(s, i) || ')]"\''.includes(s[i]!)
}

export class Lexer {
  private pos = 0
  private brackets = 0
  private readonly src: string
  private readonly mode: Mode

  constructor(src: string, mode: Mode) {
    this.src = src
    this.mode = mode
  }

  /** The next token, or null at the end. Tokens tile the text. */
  next(): Token | null {
    if (this.pos >= this.src.length) return null
    const start = this.pos
    const [kind, end] = this.scan(start)
    this.pos = end
    return { kind, start, end }
  }

  private scan(i: number): Scanned {
    const s = this.src
    const c = s[i]!
    if (isSpace(s, i)) return ['space', spaceEnd(s, i)]
    if (c === '-' && s[i + 1] === '-') return ['line-comment', lineEnd(s, i)]
    if (c === '/' && s[i + 1] === '*') return blockComment(s, i)
    if (isStart(s, i)) return this.word(i)
    if (c === "'") return quoted(s, i, 'string', this.escapes())
    if (c === '"') return quotedName(s, i, 'quoted')
    if (c === '$') return dollar(s, i)
    if (isDigit(s, i) || (c === '.' && isDigit(s, i + 1))) return ['number', numberEnd(s, i)]
    if (c === '#' && this.mode.dialect === 'redshift' && isStart(s, i + 1)) return ['word', nameEnd(s, i + 1)]
    if (c === ':') return this.colon(i)
    if (c === '.' && s[i + 1] === '.') return ['punct', i + 2]
    if (c === '[') this.brackets++
    else if (c === ']') this.brackets = Math.max(0, this.brackets - 1)
    else if (c === ';') this.brackets = 0
    if ('[];(),.'.includes(c)) return ['punct', i + 1]
    if (isOperator(s, i)) return ['operator', operatorEnd(s, i, this.mode.dialect)]
    return ['bad', i + 1]
  }

  private escapes(): boolean {
    return this.mode.backslash === true || this.mode.dialect === 'redshift'
  }

  private word(i: number): Scanned {
    const s = this.src
    const next = s[i + 1]
    switch (s[i]) {
      case 'e':
      case 'E':
        if (next === "'") return quoted(s, i + 1, 'estring', true)
        break
      case 'b':
      case 'B':
      case 'x':
      case 'X':
        if (next === "'") return bits(s, i + 1)
        break
      case 'u':
      case 'U':
        if (next !== '&') break
        if (s[i + 2] === "'") return quoted(s, i + 2, 'ustring', this.escapes())
        if (s[i + 2] === '"') return quotedName(s, i + 2, 'uquoted')
    }
    return ['word', nameEnd(s, i + 1)]
  }

  private colon(i: number): Scanned {
    const s = this.src
    const next = s[i + 1]
    if (next === ':' || next === '=') return ['punct', i + 2]
    if (!this.mode.binds || !isStart(s, i + 1) || next === '$') return ['punct', i + 1]
    if (i > 0 && this.brackets > 0 && endsValue(s, i - 1)) return ['punct', i + 1]
    if (i > 0 && (isName(s, i - 1) || s[i - 1] === ':')) return ['punct', i + 1]
    return ['bind', nameEnd(s, i + 1)]
  }
}

/** All tokens of a text. */
export function tokens(src: string, mode: Mode): Token[] {
  const out: Token[] = []
  const lexer = new Lexer(src, mode)
  for (let t = lexer.next(); t; t = lexer.next()) out.push(t)
  return out
}
