import type { EChartsCoreOption } from 'echarts/core'
import type { ChartSpec } from '../api/types'
import { axisNumber, fullNumber, type Plot } from './map'

export interface Ink { text: string; faint: string; line: string; surface: string; colors: string[] }

/** The library's words for our spec; nothing else of the page knows them. */
export function optionOf(spec: ChartSpec, plot: Plot, ink: Ink, label: string, still: boolean): EChartsCoreOption {
  const font = { color: ink.text, fontSize: 12, fontFamily: 'system-ui, sans-serif' }
  const many = plot.series.length > 1 || spec.type === 'pie'
  const common = {
    animation: !still, animationDuration: 250, color: ink.colors, textStyle: font, aria: { enabled: true, label: { description: label }, decal: { show: plot.series.length > 4 || spec.type === 'pie' } },
    tooltip: {
      trigger: spec.type === 'pie' || spec.type === 'scatter' ? 'item' : 'axis', renderMode: 'richText', backgroundColor: ink.surface, borderColor: ink.line, textStyle: font, confine: true,
      valueFormatter: (v: unknown) => (typeof v === 'number' ? fullNumber(v) : v === null || v === undefined ? '–' : String(v)),
    },
    legend: many ? { type: 'scroll', top: 0, left: 0, itemWidth: 14, itemHeight: 8, icon: 'roundRect', textStyle: font, pageTextStyle: font, pageIconColor: ink.text, pageIconInactiveColor: ink.line } : { show: false },
  }
  if (spec.type === 'pie') {
    const points = plot.series[0]?.points ?? []
    return {
      ...common,
      series: [{ type: 'pie', radius: ['45%', '72%'], center: ['50%', '56%'], label: { ...font, formatter: '{b}  {d}%' }, itemStyle: { borderColor: ink.surface, borderWidth: 2 }, data: plot.across.map((name, i) => ({ name, value: points[i] })) }],
    }
  }
  const categories = { type: 'category' as const, data: plot.across, boundaryGap: spec.type !== 'line' && spec.type !== 'area', axisLine: { lineStyle: { color: ink.line } }, axisTick: { show: false }, axisLabel: { color: ink.faint, hideOverlap: true, width: 140, overflow: 'truncate' as const } }
  const values = { type: spec.log ? ('log' as const) : ('value' as const), splitLine: { lineStyle: { color: ink.line, type: 'dashed' as const } }, axisLabel: { color: ink.faint, formatter: axisNumber } }
  const numericX = spec.type === 'scatter' && plot.across.every((x) => x !== '' && Number.isFinite(Number(x)))
  const lying = spec.type === 'hbar'
  const xAxis = lying ? values : numericX ? { ...values, type: 'value' as const, scale: true } : categories
  return {
    ...common,
    grid: { left: 8, right: 28, top: many ? 36 : 14, bottom: 8, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis, yAxis: lying ? { ...categories, inverse: true } : values,
    series: plot.series.map((s) => ({
      name: s.name, type: spec.type === 'bar' || lying ? 'bar' : spec.type === 'scatter' ? 'scatter' : 'line',
      data: numericX ? s.points.map((p, i) => [Number(plot.across[i]), p]) : s.points,
      ...(spec.type === 'area' ? { areaStyle: { opacity: 0.22 } } : {}), ...(spec.stack || (spec.type === 'area' && spec.stack !== false) ? { stack: 'all' } : {}),
      showSymbol: plot.across.length <= 40, symbolSize: spec.type === 'scatter' ? 7 : 5, connectNulls: false, barMaxWidth: 44, lineStyle: { width: 2 }, emphasis: { focus: 'series' }, large: s.points.length > 2000,
    })),
  }
}
