import { Ban, Hourglass, LoaderCircle, Moon } from 'lucide-react'
import { useEffect } from 'react'
import { useCancel } from '../api/hooks'
import { finished } from '../api/state'
import type { Run } from '../api/types'
import { count, duration, roughDuration } from '../format'
import { Button, isMod, keys, StateDot, useNow } from '../parts'
import { t } from '../strings'
import { useRunChange } from './actions'

/** One line that says where the run stands, in words, with the way to stop it. */
export function RunStatus({ run, button = true }: { run: Run; button?: boolean }) {
  const active = !finished(run)
  const now = useNow(200, active)
  const cancel = useCancel()
  const change = useRunChange(run)
  const stopping = cancel.isPending || run.cancel !== null
  const stop = button && active && run.can.cancel && !stopping ? () => cancel.mutate(run.id) : null
  useEffect(() => {
    if (!stop) return
    const onKey = (e: KeyboardEvent) => {
      if (e.key !== '.' || !isMod(e) || e.defaultPrevented || document.querySelector('[role="dialog"]')) return
      e.preventDefault()
      stop()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  })
  if (!active) return null
  const since = new Date(run.state === 'running' && run.times.started ? run.times.started : run.times.submitted).getTime()
  return (
    <div className="run-status">
      {run.state === 'queued' ? <Hourglass size={16} aria-hidden="true" /> : <LoaderCircle className="spin" size={16} aria-hidden="true" />}
      <div className="run-status-text" role="status">
        <b>{headline(run)}</b>
        <span>{detail(run)}</span>
      </div>
      <span className="mono elapsed" aria-hidden="true">{duration(Math.max(0, now - since))}</span>
      {run.can.pin && run.urgency === 'interactive' && run.via === 'web' && (
        <Button
          small look={run.keep ? 'plain' : 'quiet'} aria-pressed={run.keep} title={run.keep ? t.run.kept : t.run.keepHint} disabled={change.isPending}
          icon={<Moon size={14} aria-hidden="true" />} onClick={() => change.mutate({ keep: !run.keep })}
        >
          {t.run.keep}
        </Button>
      )}
      {button && run.can.cancel && (
        <Button small icon={<Ban size={14} aria-hidden="true" />} title={keys('mod+.')} disabled={stopping} onClick={() => stop?.()}>
          {stopping ? t.query.canceling : t.query.cancelRun}
        </Button>
      )}
      {run.state === 'running' && <i className="run-bar" aria-hidden="true" />}
    </div>
  )
}

function headline(run: Run): string {
  if (run.state === 'running') return run.wait ? t.run.waiting : t.run.running
  const { wait } = run
  return wait?.position ? t.run.queued(wait.position, wait.ahead) : t.run.queuedPlain
}

function detail(run: Run): string {
  const parts: string[] = []
  if (run.state === 'running') {
    if (run.wait) parts.push(run.wait.detail || t.run.reasons[run.wait.reason])
    else if (run.progress && run.progress.phase !== 'running') parts.push(t.run.phases[run.progress.phase] ?? run.progress.phase)
    if (run.progress && run.progress.rows > 0) parts.push(t.run.rowsSoFar(count(run.progress.rows)))
  } else if (run.wait) {
    parts.push(run.wait.detail || t.run.reasons[run.wait.reason] || run.wait.reason)
    if (run.wait.eta_ms !== null) parts.push(t.run.eta(roughDuration(run.wait.eta_ms)))
  }
  return parts.join(' · ')
}

/** The facts of a run that is over. */
export function RunFacts({ run }: { run: Run }) {
  return (
    <span className="run-facts">
      <StateDot state={run.state} />
      {finished(run) && <span className="mono">{t.run.ran(duration(run.elapsed_ms))}</span>}
      {run.queue_ms >= 1000 && <span className="mono">{t.run.waited(duration(run.queue_ms))}</span>}
    </span>
  )
}
