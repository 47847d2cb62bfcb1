export interface DiffLine { kind: 'same' | 'removed' | 'added'; text: string }

const most = 2000 * 2000

/**
 * The lines of two texts against each other, by their longest common run of lines.
 * No line is left out: where comparing all of the middle would take too long, it is
 * all removed and all added.
 */
export function diffLines(before: string, after: string): DiffLine[] {
  const all = before.split('\n')
  const next = after.split('\n')
  let head = 0
  while (head < all.length && head < next.length && all[head] === next[head]) head++
  let tail = 0
  while (tail < all.length - head && tail < next.length - head && all[all.length - 1 - tail] === next[next.length - 1 - tail]) tail++
  const same = (text: string): DiffLine => ({ kind: 'same', text })
  return [...all.slice(0, head).map(same), ...middle(all.slice(head, all.length - tail), next.slice(head, next.length - tail)), ...all.slice(all.length - tail).map(same)]
}

function middle(a: string[], b: string[]): DiffLine[] {
  if (a.length * b.length > most) return [...a.map((text): DiffLine => ({ kind: 'removed', text })), ...b.map((text): DiffLine => ({ kind: 'added', text }))]
  const width = b.length + 1
  const length = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!)
    }
  }
  const out: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i]! })
      i++
      j++
    } else if (i < a.length && (j === b.length || length[(i + 1) * width + j]! >= length[i * width + j + 1]!)) {
      out.push({ kind: 'removed', text: a[i++]! })
    } else {
      out.push({ kind: 'added', text: b[j++]! })
    }
  }
  return out
}
