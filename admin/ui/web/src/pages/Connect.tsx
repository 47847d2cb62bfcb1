import { useQuery } from '@tanstack/react-query'
import { CircleCheck, Radio, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { get } from '../api/client'
import { useChange, useItems, useMe } from '../api/hooks'
import type { ConnectInfo, DbPassword, SeenLogin, Token } from '../api/types'
import { useTopic } from '../events/stream'
import { Badge, Button, CopyButton, Empty, Failure, Input, Modal, Segmented, Select, Skeleton, Time, useTitle } from '../parts'
import { t } from '../strings'
import { stringFor, tools } from './connect-strings'

export function Connect() {
  useTitle(t.connect.title)
  const info = useQuery({ queryKey: ['connect'], queryFn: ({ signal }) => get<ConnectInfo>('/connect', { signal }) })
  const [tool, setTool] = useState('psql')
  const chosen = tools.find((x) => x.id === tool) ?? tools[0]!
  return (
    <div className="page connect">
      <h1>{t.connect.title}</h1>
      <p className="lead">{t.connect.lead}</p>
      <Segmented label={t.connect.tool} value={tool} onChange={setTool} options={tools.map((x) => ({ value: x.id, label: x.name }))} />
      {info.isPending && <Skeleton rows={4} />}
      {info.isError && <Failure error={info.error} onRetry={() => void info.refetch()} />}
      {info.data && (
        <section className="card">
          <header className="card-head"><h2>{t.connect.string}</h2><CopyButton text={stringFor(tool, info.data)} label={t.connect.copyString} /></header>
          <pre className="code" tabIndex={0}>{stringFor(tool, info.data)}</pre>
          {!chosen.api && (
            <dl className="facts">
              <div><dt>{t.connect.host}</dt><dd>{info.data.host}</dd></div><div><dt>{t.connect.port}</dt><dd>{info.data.port}</dd></div><div><dt>{t.connect.database}</dt><dd>{info.data.database}</dd></div>
              <div><dt>{t.connect.login}</dt><dd>{info.data.login}</dd></div><div><dt>{t.connect.ssl}</dt><dd>{info.data.sslmode}</dd></div>
            </dl>
          )}
          {!chosen.api && <Seen />}
        </section>
      )}
      {!chosen.api && <Passwords tool={chosen.name} />}
      <Tokens />
    </div>
  )
}

/** Says that the tool came through, a moment after it did. */
function Seen() {
  const [since] = useState(() => Date.now())
  const logins = useTopic<SeenLogin[]>('connect')
  const fresh = logins?.data.filter((l) => Date.parse(l.at) > since - 60_000) ?? []
  const last = fresh[0]
  return (
    <p className={last ? 'seen yes' : 'seen'} role="status">
      {last ? <CircleCheck size={16} aria-hidden="true" /> : <Radio size={16} aria-hidden="true" className="pulse" />}
      {last ? <span>{t.connect.seen(last.tool || last.name, '')}<Time at={last.at} /> <span className="faint">{t.connect.seenFrom(last.addr)}</span></span> : t.connect.seenWaiting}
    </p>
  )
}

function Passwords({ tool }: { tool: string }) {
  const list = useItems<DbPassword>(['db-passwords'], '/db-passwords')
  const [hours, setHours] = useState(12)
  const make = useChange<void, { password: string; login: string }>({ method: 'POST', path: '/db-passwords', body: () => ({ tool, hours }), refresh: [['db-passwords']] })
  const revoke = useChange<string>({ method: 'DELETE', path: (id) => `/db-passwords/${id}`, refresh: [['db-passwords']] })
  return (
    <section className="card">
      <header className="card-head"><h2>{t.connect.passwordTitle}</h2></header>
      <p className="hint card-text">{t.connect.passwordLead}</p>
      <form className="row card-text" onSubmit={(e) => { e.preventDefault(); make.mutate() }}>
        <Select label={t.connect.hours} value={hours} onChange={(e) => setHours(Number(e.target.value))}>
          {Object.entries(t.connect.hourOptions).map(([h, label]) => <option key={h} value={h}>{label}</option>)}
        </Select>
        <Button type="submit" look="primary" className="align-end" disabled={make.isPending}>{t.connect.make(tool)}</Button>
      </form>
      <Once title={t.connect.passwordShown} secret={make.data?.password ?? null} copy={t.connect.copyPassword} onClose={() => make.reset()} />
      <h3 className="card-sub">{t.connect.live}</h3>
      {list.isPending && <Skeleton rows={2} />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data?.length === 0 && <p className="hint card-none">{t.connect.noPasswords}</p>}
      {list.data && list.data.length > 0 && (
        <div className="table-wrap">
          <table className="table">
            <thead><tr><th scope="col">{t.connect.tool}</th><th scope="col">{t.connect.expires}</th><th scope="col" className="wide-only">{t.connect.lastUsed}</th><th scope="col"><span className="hidden">{t.connect.revoke}</span></th></tr></thead>
            <tbody>{list.data.map((p) => <tr key={p.id}><td>{p.tool}</td><td><Time at={p.expires_at} /></td><td className="wide-only">{p.last_used ? <Time at={p.last_used} /> : t.connect.never}</td><td className="tight"><Button small look="quiet" icon={<Trash2 size={14} aria-hidden="true" />} aria-label={t.connect.revokeName(p.tool)} onClick={() => revoke.mutate(p.id)} /></td></tr>)}</tbody>
          </table>
        </div>
      )}
    </section>
  )
}

/** A secret that is shown once. */
export function Once({ title, secret, copy, hint, onClose }: { title: string; secret: string | null; copy: string; hint?: string; onClose: () => void }) {
  return (
    <Modal open={secret !== null} onOpen={(o) => { if (!o) onClose() }} title={title} description={hint ?? t.connect.once}>
      {secret !== null && <div className="once"><code>{secret}</code><CopyButton text={secret} label={copy} look="primary" /></div>}
    </Modal>
  )
}

const scopes = ['runs:read', 'runs:write', 'runs:write_dml', 'queries:read', 'queries:run', 'queries:write', 'catalog:read']

function Tokens() {
  const me = useMe().data
  const list = useItems<Token>(['tokens'], '/tokens')
  const [open, setOpen] = useState(false)
  const [name, setName] = useState('')
  const [days, setDays] = useState(90)
  const [chosen, setChosen] = useState<string[]>(['runs:read', 'runs:write'])
  const make = useChange<void, { token: string }>({ method: 'POST', path: '/tokens', body: () => ({ name: name.trim(), scopes: chosen, expires_in_days: days }), refresh: [['tokens']] })
  const revoke = useChange<string>({ method: 'DELETE', path: (id) => `/tokens/${id}`, refresh: [['tokens']] })
  const offered = me && me.scopes.length > 0 ? scopes.filter((s) => me.scopes.includes(s)) : scopes
  return (
    <section className="card">
      <header className="card-head"><h2>{t.connect.tokens}</h2><Button small onClick={() => setOpen(true)}>{t.connect.newToken}</Button></header>
      <p className="hint card-text">{t.connect.tokensLead}</p>
      {list.isPending && <Skeleton rows={2} />}
      {list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
      {list.data?.length === 0 && <Empty title={t.connect.noTokens} />}
      {list.data && list.data.length > 0 && (
        <div className="table-wrap">
          <table className="table">
            <thead><tr><th scope="col">{t.connect.tokenName}</th><th scope="col">{t.connect.tokenScopes}</th><th scope="col">{t.connect.expires}</th><th scope="col" className="wide-only">{t.connect.lastUsed}</th><th scope="col"><span className="hidden">{t.connect.revoke}</span></th></tr></thead>
            <tbody>{list.data.map((k) => <tr key={k.id}><td>{k.name}</td><td>{k.scopes.map((s) => <Badge key={s}>{s}</Badge>)}</td><td><Time at={k.expires_at} /></td><td className="wide-only">{k.last_used ? <Time at={k.last_used} /> : t.connect.never}</td><td className="tight"><Button small look="quiet" icon={<Trash2 size={14} aria-hidden="true" />} aria-label={t.connect.revokeName(k.name)} onClick={() => revoke.mutate(k.id)} /></td></tr>)}</tbody>
          </table>
        </div>
      )}
      <Modal open={open} onOpen={setOpen} title={t.connect.newToken}>
        <form className="stack" onSubmit={(e) => { e.preventDefault(); make.mutate(undefined, { onSuccess: () => { setOpen(false); setName('') } }) }}>
          <Input label={t.connect.tokenName} value={name} required maxLength={100} autoFocus onChange={(e) => setName(e.target.value)} />
          <Input label={t.connect.tokenDays} type="number" min={1} max={365} required value={days} onChange={(e) => setDays(Number(e.target.value))} />
          <fieldset className="ticks"><legend>{t.connect.tokenScopes}</legend>
            {offered.map((s) => <label key={s} className="tick"><input type="checkbox" checked={chosen.includes(s)} onChange={(e) => setChosen(e.target.checked ? [...chosen, s] : chosen.filter((x) => x !== s))} /><code>{s}</code></label>)}
          </fieldset>
          <footer className="modal-foot"><Button look="primary" type="submit" disabled={!name.trim() || chosen.length === 0 || make.isPending}>{t.connect.tokenMake}</Button></footer>
        </form>
      </Modal>
      <Once title={t.connect.tokenShown} secret={make.data?.token ?? null} copy={t.connect.copyToken} onClose={() => make.reset()} />
    </section>
  )
}
