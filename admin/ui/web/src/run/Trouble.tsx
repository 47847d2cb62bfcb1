import { AlertCircle } from 'lucide-react'
import type { Notice, Run, RunError } from '../api/types'
import { utf16 } from '../sql/split'
import { t } from '../strings'

/** What went wrong, in the warehouse's words, with the caret under the place. */
export function RunTrouble({ error, run }: { error: RunError; run: Run }) {
  const canceled = error.code === 'canceled'
  return (
    <div className={canceled ? 'trouble calm' : 'trouble'} role="alert">
      <AlertCircle size={16} aria-hidden="true" />
      <div className="trouble-body">
        <p className="trouble-title">
          {canceled && run.cancel ? t.run.canceledBy(run.cancel.by) : (t.run.codes[error.code] ?? t.run.error)}
          {error.sqlstate && <span className="mono faint"> {error.sqlstate}</span>}
        </p>
        <p className="trouble-text">{error.message}{error.position && <span className="faint"> ({t.run.at(error.position.line, error.position.column)})</span>}</p>
        {error.position && run.sql && <Caret sql={run.sql} offset={utf16(run.sql, error.position.offset)} />}
        {error.detail && <p><b>{t.run.detail}</b> {error.detail}</p>}
        {error.hint && <p><b>{t.run.hint}</b> {error.hint}</p>}
        {canceled && run.cancel?.reason && <p>{run.cancel.reason}</p>}
      </div>
    </div>
  )
}

function Caret({ sql, offset }: { sql: string; offset: number }) {
  const from = sql.lastIndexOf('\n', Math.max(0, offset - 1)) + 1
  const end = sql.indexOf('\n', offset)
  const line = sql.slice(from, end < 0 ? undefined : end)
  const column = offset - from
  const cut = Math.max(0, column - 100)
  const shown = line.slice(cut, cut + 200).replaceAll('\t', ' ')
  return <pre className="caret" aria-hidden="true">{shown + '\n' + ' '.repeat(column - cut) + '^'}</pre>
}

export function Notices({ notices }: { notices: Notice[] }) {
  if (notices.length === 0) return null
  return (
    <details className="notices">
      <summary>{t.run.notices(notices.length)}</summary>
      <ul>
        {notices.map((n, i) => (
          <li key={i}><b className="mono">{n.severity}</b> {n.message}{n.detail && <span className="faint"> {n.detail}</span>}{n.hint && <span className="faint"> {t.run.hint}: {n.hint}</span>}</li>
        ))}
      </ul>
    </details>
  )
}
