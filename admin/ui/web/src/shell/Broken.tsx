import { Button } from '../parts'
import { t } from '../strings'

/** What is shown when a page itself fails. */
export function Broken({ error }: { error: unknown }) {
  return (
    <div className="empty page-empty" role="alert">
      <h1>{t.errors.broken}</h1>
      <p className="hint">{t.errors.brokenHint}</p>
      <p className="hint mono">{error instanceof Error ? error.message : String(error)}</p>
      <Button look="primary" onClick={() => window.location.reload()}>{t.errors.reload}</Button>
    </div>
  )
}
