// The lazy half of the chart: everything that needs the chart library.
import { BarChart, LineChart, PieChart, ScatterChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendScrollComponent, TooltipComponent } from 'echarts/components'
import * as echarts from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { useEffect, useRef } from 'react'
import type { ChartSpec } from '../api/types'
import type { Plot } from './map'
import { optionOf, type Ink } from './option'

echarts.use([BarChart, LineChart, PieChart, ScatterChart, GridComponent, TooltipComponent, LegendScrollComponent, AriaComponent, SVGRenderer])

/** The colours of the theme, resolved: the library cannot read CSS variables. */
function inkOf(el: HTMLElement): Ink {
  const probe = document.createElement('span')
  el.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color
  }
  const ink = { text: read('--text'), faint: read('--text-2'), line: read('--line-2'), surface: read('--raised'), colors: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => read(`--chart-${n}`)) }
  probe.remove()
  return ink
}

export default function Drawing({ spec, plot, label }: { spec: ChartSpec; plot: Plot; label: string }) {
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const el = host.current
    if (!el) return
    const chart = echarts.init(el, null, { renderer: 'svg' })
    const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches
    const draw = () => chart.setOption(optionOf(spec, plot, inkOf(el), label, still), true)
    draw()
    const observer = new ResizeObserver(() => chart.resize())
    observer.observe(el)
    const dark = window.matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', draw)
    window.addEventListener('lk:theme', draw)
    return () => {
      observer.disconnect()
      dark.removeEventListener('change', draw)
      window.removeEventListener('lk:theme', draw)
      chart.dispose()
    }
  }, [spec, plot, label])
  return <div ref={host} className="chart-canvas" role="img" aria-label={label} />
}
