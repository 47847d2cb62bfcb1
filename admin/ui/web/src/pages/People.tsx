import { Ellipsis, Trash2, X } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { useState, type ReactNode } from 'react'
import { query } from '../api/client'
import { useAll, useChange, useItems, useMe } from '../api/hooks'
import type { Grant, Person, Service, Team } from '../api/types'
import { Badge, Button, Empty, Failure, Input, Menu, Modal, NotFound, Select, Skeleton, Time, useTitle } from '../parts'
import { t } from '../strings'
import { Once } from './Connect'

const names = t.people

export function People() {
  useTitle(names.title)
  const me = useMe().data
  if (me && !me.admin) return <NotFound heading />
  return (
    <div className="page">
      <h1>{names.title}</h1>
      <p className="lead">{names.lead}</p>
      <Tabs.Root defaultValue="people">
        <Tabs.List className="tabs" aria-label={names.title}>
          {Object.entries(names.tabs).map(([k, v]) => <Tabs.Trigger key={k} value={k} className="tab">{v}</Tabs.Trigger>)}
        </Tabs.List>
        <Tabs.Content value="people" className="tab-page"><Persons /></Tabs.Content>
        <Tabs.Content value="teams" className="tab-page"><Teams /></Tabs.Content>
        <Tabs.Content value="services" className="tab-page"><Services /></Tabs.Content>
        <Tabs.Content value="grants" className="tab-page"><Grants /></Tabs.Content>
      </Tabs.Root>
    </div>
  )
}

interface TableProps<T> { result: { data: T[] | undefined; isPending: boolean; isError: boolean; error: unknown; refetch: () => unknown }; heads: string[]; wide?: string[]; children: (item: T) => ReactNode }

function List<T>({ result, heads, wide = [], children }: TableProps<T>) {
  if (result.isPending) return <Skeleton rows={5} />
  if (result.isError) return <Failure error={result.error} onRetry={() => void result.refetch()} />
  if (!result.data?.length) return <Empty title={names.empty} />
  return (
    <div className="table-wrap">
      <table className="table rows">
        <thead><tr>{heads.map((h, i) => <th key={i} scope="col" className={wide.includes(h) ? 'wide-only' : undefined}>{h || <span className="hidden">{t.more}</span>}</th>)}</tr></thead>
        <tbody>{result.data.map(children)}</tbody>
      </table>
    </div>
  )
}

function Add({ label, children, onSubmit, busy, open, onOpen }: { label: string; children: ReactNode; onSubmit: () => void; busy: boolean; open: boolean; onOpen: (open: boolean) => void }) {
  return (
    <>
      <Button look="primary" onClick={() => onOpen(true)}>{label}</Button>
      <Modal open={open} onOpen={onOpen} title={label}>
        <form className="stack" onSubmit={(e) => { e.preventDefault(); onSubmit() }}>
          {children}
          <footer className="modal-foot"><Button type="submit" look="primary" disabled={busy}>{t.save}</Button></footer>
        </form>
      </Modal>
    </>
  )
}

const words = (text: string) => text.split(',').map((x) => x.trim()).filter(Boolean)

function Persons() {
  const [search, setSearch] = useState('')
  const list = useAll<Person>(['people', search], '/people' + query({ q: search }))
  const [open, setOpen] = useState(false)
  const [form, setForm] = useState({ login: '', name: '', email: '', teams: '' })
  const [link, setLink] = useState<string | null>(null)
  const refresh = [['people']]
  const add = useChange<void, { link?: string }>({ method: 'POST', path: '/people', body: () => ({ ...form, teams: words(form.teams) }), refresh })
  const patch = useChange<{ id: string; disabled: boolean }>({ method: 'PATCH', path: (v) => `/people/${v.id}`, body: (v) => ({ disabled: v.disabled }), refresh })
  const makeLink = useChange<string, { link: string }>({ method: 'POST', path: (id) => `/people/${id}/link` })
  const out = useChange<string>({ method: 'DELETE', path: (id) => `/people/${id}/sessions`, said: names.signedOut })
  const set = (key: keyof typeof form) => (e: React.ChangeEvent<HTMLInputElement>) => setForm({ ...form, [key]: e.target.value })
  return (
    <>
      <div className="filters">
        <Input hideLabel type="search" label={names.search} placeholder={names.search} value={search} onChange={(e) => setSearch(e.target.value)} />
        <Add label={names.add} open={open} onOpen={setOpen} busy={add.isPending} onSubmit={() => add.mutate(undefined, { onSuccess: (r) => { setOpen(false); setLink(r?.link ?? null) } })}>
          <Input label={names.login} required value={form.login} onChange={set('login')} autoFocus />
          <Input label={names.name} required value={form.name} onChange={set('name')} />
          <Input label={names.email} type="email" value={form.email} onChange={set('email')} />
          <Input label={names.teams} hint={t.query.saveTags} value={form.teams} onChange={set('teams')} />
        </Add>
      </div>
      <List result={list} heads={[names.login, names.name, names.teams, names.state, t.connect.lastUsed, '']} wide={[names.teams, t.connect.lastUsed]}>
        {(p) => (
          <tr key={p.id}>
            <td className="mono">{p.login}</td>
            <td>{p.name}<span className="row-sub">{p.email}</span></td>
            <td className="wide-only">{p.teams.map((x) => <Badge key={x}>{x}</Badge>)}</td>
            <td>{p.disabled ? <Badge tone="bad">{names.disabled}</Badge> : <Badge tone="good">{names.active}</Badge>}</td>
            <td className="wide-only"><Time at={p.last_seen} /></td>
            <td className="tight">
              <Menu
                trigger={<Button small look="quiet" aria-label={names.actions(p.login)} icon={<Ellipsis size={16} aria-hidden="true" />} />}
                items={[
                  { label: names.link, onSelect: () => makeLink.mutate(p.id, { onSuccess: (r) => setLink(r.link) }) },
                  { label: names.signOut, onSelect: () => out.mutate(p.id) },
                  null,
                  { label: p.disabled ? names.enable : names.disable, danger: !p.disabled, onSelect: () => patch.mutate({ id: p.id, disabled: !p.disabled }) },
                ]}
              />
            </td>
          </tr>
        )}
      </List>
      <Once title={names.linkShown} hint={names.linkHint} secret={link} copy={t.run.copyLink} onClose={() => setLink(null)} />
    </>
  )
}

function Teams() {
  const list = useItems<Team>(['teams'], '/teams')
  const [open, setOpen] = useState(false)
  const [name, setName] = useState('')
  const refresh = [['teams']]
  const add = useChange({ method: 'POST', path: '/teams', body: () => ({ name: name.trim() }), refresh })
  const remove = useChange<string>({ method: 'DELETE', path: (id) => `/teams/${id}`, refresh })
  return (
    <>
      <div className="filters">
        <Add label={names.addTeam} open={open} onOpen={setOpen} busy={add.isPending} onSubmit={() => add.mutate(undefined, { onSuccess: () => { setOpen(false); setName('') } })}>
          <Input label={names.name} required value={name} onChange={(e) => setName(e.target.value)} autoFocus />
        </Add>
      </div>
      <List result={list} heads={[names.name, names.members, '']}>
        {(team) => (
          <tr key={team.id}>
            <td>{team.name}</td>
            <td><Members team={team} /></td>
            <td className="tight"><Button small look="quiet" aria-label={`${t.delete} ${team.name}`} icon={<Trash2 size={14} aria-hidden="true" />} onClick={() => remove.mutate(team.id)} /></td>
          </tr>
        )}
      </List>
    </>
  )
}

function Members({ team }: { team: Team }) {
  const [login, setLogin] = useState('')
  const add = useChange<string>({ method: 'PUT', path: (who) => `/teams/${team.id}/members/${encodeURIComponent(who)}`, refresh: [['teams'], ['people']] })
  const remove = useChange<string>({ method: 'DELETE', path: (who) => `/teams/${team.id}/members/${encodeURIComponent(who)}`, refresh: [['teams'], ['people']] })
  return (
    <div className="members">
      {team.members?.map((m) => {
        const who = typeof m === 'string' ? m : m.login
        return <span key={who} className="badge">{who}<button type="button" aria-label={names.removeMember(who)} onClick={() => remove.mutate(who)}><X size={12} aria-hidden="true" /></button></span>
      })}
      <form className="row" onSubmit={(e) => { e.preventDefault(); if (login.trim()) add.mutate(login.trim(), { onSuccess: () => setLogin('') }) }}>
        <Input hideLabel label={`${names.member}: ${team.name}`} placeholder={names.member} value={login} onChange={(e) => setLogin(e.target.value)} />
        <Button small type="submit" disabled={!login.trim()}>{names.addMember}</Button>
      </form>
    </div>
  )
}

function Services() {
  const list = useAll<Service>(['services'], '/services')
  const teams = useItems<Team>(['teams'], '/teams')
  const [open, setOpen] = useState(false)
  const [form, setForm] = useState({ name: '', team: '', description: '' })
  const refresh = [['services']]
  const add = useChange({ method: 'POST', path: '/services', body: () => form, refresh })
  const remove = useChange<string>({ method: 'DELETE', path: (id) => `/services/${id}`, refresh })
  return (
    <>
      <div className="filters">
        <Add label={names.addService} open={open} onOpen={setOpen} busy={add.isPending} onSubmit={() => add.mutate(undefined, { onSuccess: () => setOpen(false) })}>
          <Input label={names.name} required value={form.name} onChange={(e) => setForm({ ...form, name: e.target.value })} autoFocus />
          <Select label={names.team} required value={form.team} onChange={(e) => setForm({ ...form, team: e.target.value })}><option value="" />{teams.data?.map((x) => <option key={x.id}>{x.name}</option>)}</Select>
          <Input label={names.description} value={form.description} onChange={(e) => setForm({ ...form, description: e.target.value })} />
        </Add>
      </div>
      <List result={list} heads={[names.name, names.team, names.description, '']} wide={[names.description]}>
        {(s) => (
          <tr key={s.id}>
            <td>{s.name}</td><td>{s.team && <Badge>{s.team}</Badge>}</td><td className="wide-only">{s.description}</td>
            <td className="tight"><Button small look="quiet" aria-label={`${t.delete} ${s.name}`} icon={<Trash2 size={14} aria-hidden="true" />} onClick={() => remove.mutate(s.id)} /></td>
          </tr>
        )}
      </List>
    </>
  )
}

function Grants() {
  const me = useMe().data
  const list = useItems<Grant>(['grants'], '/grants')
  const people = useAll<Person>(['people', ''], '/people')
  const teams = useItems<Team>(['teams'], '/teams')
  const services = useAll<Service>(['services'], '/services')
  const [open, setOpen] = useState(false)
  const blank = { principal: '', target: me?.targets[0]?.name ?? '', role: 'member', warehouse_login: '', warehouse_password: '' }
  const [form, setForm] = useState(blank)
  const refresh = [['grants']]
  const add = useChange({
    method: 'POST', path: '/grants', refresh,
    body: () => ({ principal: form.principal, target: form.target, role: form.role, ...(form.warehouse_login ? { warehouse_login: form.warehouse_login, warehouse_password: form.warehouse_password } : {}) }),
  })
  const remove = useChange<string>({ method: 'DELETE', path: (id) => `/grants/${id}`, refresh })
  const who = (g: Grant) => {
    const id = typeof g.principal === 'string' ? g.principal : g.principal.id
    const named = typeof g.principal === 'string' ? undefined : (g.principal.name ?? g.principal.login)
    return named ?? people.data?.find((p) => p.id === id)?.login ?? teams.data?.find((x) => x.id === id)?.name ?? services.data?.find((s) => s.id === id)?.name ?? id
  }
  const set = (key: keyof typeof form) => (e: React.ChangeEvent<HTMLInputElement | HTMLSelectElement>) => setForm({ ...form, [key]: e.target.value })
  return (
    <>
      <div className="filters">
        <Add label={names.addGrant} open={open} onOpen={setOpen} busy={add.isPending} onSubmit={() => add.mutate(undefined, { onSuccess: () => { setOpen(false); setForm(blank) } })}>
          <Select label={names.principal} required value={form.principal} onChange={set('principal')}>
            <option value="" />
            <optgroup label={names.tabs.people}>{people.data?.map((p) => <option key={p.id} value={p.id}>{p.login}</option>)}</optgroup>
            <optgroup label={names.tabs.teams}>{teams.data?.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}</optgroup>
            <optgroup label={names.tabs.services}>{services.data?.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}</optgroup>
          </Select>
          <Select label={names.target} value={form.target} onChange={set('target')}>{me?.targets.map((x) => <option key={x.name} value={x.name}>{x.title || x.name}</option>)}<option value="*">{names.allTargets}</option></Select>
          <Select label={names.role} hint={form.role === 'admin' ? (form.target === '*' ? names.adminOfAll : names.adminOfOne) : undefined} value={form.role} onChange={set('role')}>{['member', 'operator', 'admin'].map((r) => <option key={r}>{r}</option>)}</Select>
          <Input label={names.warehouseLogin} value={form.warehouse_login} onChange={set('warehouse_login')} />
          {form.warehouse_login && <Input label={names.warehousePassword} hint={names.warehousePasswordHint} type="password" autoComplete="new-password" value={form.warehouse_password} onChange={set('warehouse_password')} />}
        </Add>
      </div>
      <List result={list} heads={[names.principal, names.target, names.role, names.warehouseLogin, '']} wide={[names.target]}>
        {(g) => (
          <tr key={g.id}>
            <td>{who(g)}</td><td className="wide-only">{g.target === '*' ? names.allTargets : g.target}</td><td><Badge tone={g.role === 'member' ? 'plain' : 'info'}>{g.role}</Badge></td><td className="mono">{g.warehouse_login ?? t.none}</td>
            <td className="tight"><Button small look="quiet" aria-label={`${t.delete} ${who(g)} ${g.role}`} icon={<Trash2 size={14} aria-hidden="true" />} onClick={() => remove.mutate(g.id)} /></td>
          </tr>
        )}
      </List>
    </>
  )
}
