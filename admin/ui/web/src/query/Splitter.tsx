import { useRef, useState, type ReactNode } from 'react'

/** A size that the reader sets by dragging a line, or by arrow keys on it. */
export function useSplit(key: string, initial: number, min: number, max: number, axis: 'x' | 'y', label: string): { size: number; handle: ReactNode } {
  const [size, setSize] = useState(() => Number(localStorage.getItem(key)) || initial)
  const drag = useRef<{ at: number; size: number } | null>(null)
  const set = (n: number) => {
    const next = Math.round(Math.max(min, Math.min(max, n)))
    setSize(next)
    localStorage.setItem(key, String(next))
  }
  const handle = (
    <div
      className={`splitter ${axis}`} role="separator" tabIndex={0} aria-orientation={axis === 'x' ? 'vertical' : 'horizontal'} aria-label={label} aria-valuenow={size} aria-valuemin={min} aria-valuemax={max}
      onKeyDown={(e) => {
        const step = e.key === (axis === 'x' ? 'ArrowRight' : 'ArrowDown') ? 16 : e.key === (axis === 'x' ? 'ArrowLeft' : 'ArrowUp') ? -16 : 0
        if (step) { e.preventDefault(); set(size + step) }
      }}
      onPointerDown={(e) => { drag.current = { at: axis === 'x' ? e.clientX : e.clientY, size }; e.currentTarget.setPointerCapture(e.pointerId) }}
      onPointerMove={(e) => { if (drag.current) set(drag.current.size + (axis === 'x' ? e.clientX : e.clientY) - drag.current.at) }}
      onPointerUp={() => { drag.current = null }}
    />
  )
  return { size, handle }
}
