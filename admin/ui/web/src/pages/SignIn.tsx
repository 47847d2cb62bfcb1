import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { apiUrl, Problem, send } from '../api/client'
import { useMe, useSession } from '../api/hooks'
import type { Me } from '../api/types'
import { base } from '../base'
import { Button, Failure, Input, Loading, useTitle, Whose } from '../parts'
import { t } from '../strings'
import { reason } from './signin-reason'

/** Only a path of this page: an address from outside must not send anybody elsewhere. */
export function safeReturn(text: string | undefined | null): string {
  return text && /^\/(?![/\\])[^\\\s]*$/.test(text) && !text.startsWith('/signin') ? text : '/'
}

export function SignIn() {
  useTitle(t.signin.title)
  const client = useQueryClient()
  const session = useSession()
  const returnTo = safeReturn(new URLSearchParams(window.location.search).get('return_to'))
  const [link] = useState(() => /^#link=(.+)$/.exec(window.location.hash)?.[1] ?? null)
  const [stage, setStage] = useState<'ask' | 'link' | 'choose'>(link ? 'link' : 'ask')
  const [error, setError] = useState('')
  const why = reason(window.location.search)
  const posted = useRef(false)
  const enter = (me: Me) => {
    client.setQueryData(['me'], me)
    window.location.replace(base.replace(/\/$/, '') + returnTo)
  }

  useEffect(() => {
    if (!link || posted.current) return
    posted.current = true
    // The token leaves the address, and the history, before anything else happens.
    window.history.replaceState(null, '', window.location.pathname + window.location.search)
    send<Me>('POST', '/session/link', { token: decodeURIComponent(link) }).then((me) => {
      client.setQueryData(['me'], me)
      setStage('choose')
    }, () => { setError(t.signin.linkWrong); setStage('ask') })
  }, [link, client])

  return (
    <main className="signin">
      <div className="signin-box">
        <img src={`${base}assets/lockkeeper.svg`} alt="" width={40} height={40} />
        <h1>{stage === 'choose' ? t.signin.choose : t.signin.title}</h1>
        {stage === 'ask' && <p className="hint">{t.signin.lead}</p>}
        {error && <p className="form-error" role="alert">{error}</p>}
        {stage === 'ask' && !error && why && <p className={why.refused ? 'form-error' : 'form-note'} role={why.refused ? 'alert' : 'status'}>{why.text}</p>}
        {stage === 'link' && <Loading label={t.signin.linkBusy} />}
        {stage === 'choose' && <Choose onDone={() => window.location.replace(base.replace(/\/$/, '') + returnTo)} />}
        {stage === 'ask' && session.isPending && <Loading />}
        {stage === 'ask' && session.isError && <Failure error={session.error} onRetry={() => void session.refetch()} />}
        {stage === 'ask' && session.data && (
          <>
            {session.data.methods.oidc && (
              <a className="button primary block" href={apiUrl('/session/oidc') + `?return_to=${encodeURIComponent(returnTo)}`}><span>{t.signin.oidc(session.data.methods.oidc.name)}</span></a>
            )}
            {session.data.methods.oidc && session.data.methods.password && <p className="or"><span>{t.signin.or}</span></p>}
            {session.data.methods.password && <Password onError={setError} onDone={enter} primary={!session.data.methods.oidc} />}
            {!session.data.methods.oidc && !session.data.methods.password && <p>{session.data.methods.header ? t.signin.header : t.signin.none}</p>}
          </>
        )}
      </div>
    </main>
  )
}

function Password({ onError, onDone, primary }: { onError: (text: string) => void; onDone: (me: Me) => void; primary: boolean }) {
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = async () => {
    setBusy(true)
    onError('')
    try {
      onDone(await send<Me>('POST', '/session', { login, password }))
    } catch (err) {
      setBusy(false)
      setPassword('')
      onError(err instanceof Problem && err.status === 401 ? t.signin.wrong : err instanceof Problem && err.status === 429 ? t.signin.slow : err instanceof Error ? err.message : t.errors.unexpected)
    }
  }
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); void submit() }}>
      <Input label={t.signin.login} name="login" autoComplete="username" required autoFocus value={login} onChange={(e) => setLogin(e.target.value)} />
      <Input label={t.signin.password} name="password" type="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
      <Button type="submit" look={primary ? 'primary' : 'plain'} className="block" disabled={busy}>{busy ? t.signin.busy : t.signin.submit}</Button>
    </form>
  )
}

function Choose({ onDone }: { onDone: () => void }) {
  const me = useMe()
  const [password, setPassword] = useState('')
  const [error, setError] = useState('')
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); send('PUT', '/me/password', { new: password }).then(onDone, (err: Error) => setError(err.message)) }}>
      <Whose login={me.data?.login} />
      <p className="hint">{t.signin.chooseHint}</p>
      {error && <p className="form-error" role="alert">{error}</p>}
      <Input label={t.signin.newPassword} type="password" autoComplete="new-password" autoFocus required value={password} onChange={(e) => setPassword(e.target.value)} />
      <Button type="submit" look="primary" className="block" disabled={!password}>{t.save}</Button>
      <Button look="quiet" className="block" onClick={onDone}>{t.signin.later}</Button>
    </form>
  )
}
