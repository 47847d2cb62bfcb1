import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { BookOpen, Clock, Command, Keyboard, LogOut, Moon, Plug, Plus, SquareTerminal, Sun, SunMoon, Users, KeyRound } from 'lucide-react'
import { useEffect, useState, type ReactNode } from 'react'
import { send } from '../api/client'
import { useMe } from '../api/hooks'
import type { Me, Run } from '../api/types'
import { base } from '../base'
import { startStream, stopStream, useStreamUp, useTopic, whyEnded } from '../events/stream'
import { Button, cx, Failure, isMod, keys, Loading, Menu, Modal } from '../parts'
import { t } from '../strings'
import { applyTheme, readTheme, type Theme } from '../theme'
import { Palette } from './Palette'
import { PasswordDialog } from './PasswordDialog'

/** What stands around every page once somebody is signed in. */
export function Shell() {
  const me = useMe()
  const navigate = useNavigate()
  const path = useRouterState({ select: (s) => s.location.href })
  const [open, setOpen] = useState<'palette' | 'keys' | 'password' | null>(null)

  const known = me.data !== undefined
  useEffect(() => {
    const out = () => {
      stopStream()
      void navigate({ to: '/signin', search: { return_to: path, ...(known ? { ended: whyEnded() || 'signed-out' } : {}) }, replace: true })
    }
    window.addEventListener('lk:signed-out', out)
    return () => window.removeEventListener('lk:signed-out', out)
  }, [navigate, path, known])
  useEffect(() => { if (known) startStream() }, [known])

  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const el = e.target as HTMLElement
      if (isMod(e) && e.key.toLowerCase() === 'k') {
        e.preventDefault()
        setOpen('palette')
      } else if (e.key === '?' && !el.closest('input,textarea,select,[contenteditable="true"]')) {
        e.preventDefault()
        setOpen('keys')
      }
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])

  if (me.isPending) return <main className="center"><h1 className="hidden">{t.product}</h1><Loading /></main>
  if (me.isError) return <main className="center"><h1 className="hidden">{t.product}</h1><Failure error={me.error} onRetry={() => void me.refetch()} /></main>
  return (
    <div className="shell">
      <a className="skip" href="#content">{t.skip}</a>
      <Rail me={me.data} onOpen={setOpen} />
      <div className="frame">
        <Strip me={me.data} onPalette={() => setOpen('palette')} />
        <main id="content" tabIndex={-1}><Outlet /></main>
      </div>
      <Palette open={open === 'palette'} onOpen={(o) => setOpen(o ? 'palette' : null)} admin={me.data.admin} />
      <Shortcuts open={open === 'keys'} onOpen={(o) => setOpen(o ? 'keys' : null)} />
      <PasswordDialog open={open === 'password'} onOpen={(o) => setOpen(o ? 'password' : null)} />
    </div>
  )
}

/** Marks a visit to /new as one of its own: the text written there before has its own address by now. */
const fresh = () => ({ fresh: Date.now() }) as object

function RailLink({ to, label, icon, also = [] }: { to: string; label: string; icon: ReactNode; also?: string[] }) {
  const path = useRouterState({ select: (s) => s.location.pathname })
  const on = path === to || path.startsWith(to + '/') || also.some((a) => path.startsWith(a))
  return <Link to={to} {...(to === '/new' ? { state: fresh } : {})} className={cx('rail-link', on && 'on')} aria-current={on ? 'page' : undefined}>{icon}<span>{label}</span></Link>
}

function Rail({ me, onOpen }: { me: Me; onOpen: (what: 'keys' | 'password') => void }) {
  const navigate = useNavigate()
  return (
    <nav className="rail" aria-label={t.nav.main}>
      <Link to="/" className="brand"><img src={`${base}assets/lockkeeper.svg`} alt="" width={24} height={24} /><span>{t.product}</span></Link>
      <div className="rail-query">
        <RailLink to="/new" label={t.nav.query} icon={<SquareTerminal size={18} aria-hidden="true" />} also={['/d/', '/q/']} />
        <Button look="quiet" small aria-label={t.nav.newQuery} icon={<Plus size={15} aria-hidden="true" />} onClick={() => void navigate({ to: '/new', state: fresh })} />
      </div>
      <RailLink to="/library" label={t.nav.library} icon={<BookOpen size={18} aria-hidden="true" />} />
      <RailLink to="/history" label={t.nav.history} icon={<Clock size={18} aria-hidden="true" />} also={['/r/']} />
      <RailLink to="/connect" label={t.nav.connect} icon={<Plug size={18} aria-hidden="true" />} />
      {me.admin && <RailLink to="/people" label={t.nav.people} icon={<Users size={18} aria-hidden="true" />} />}
      <span className="grow rail-gap" />
      <UserMenu me={me} onOpen={onOpen} />
    </nav>
  )
}

function UserMenu({ me, onOpen }: { me: Me; onOpen: (what: 'keys' | 'password') => void }) {
  const [theme, setTheme] = useState<Theme>(readTheme)
  const choose = (next: Theme) => { setTheme(next); applyTheme(next) }
  const signOut = () => void send('DELETE', '/session').catch(() => undefined).then(() => { stopStream(); window.location.assign(base + 'signin') })
  const initials = (me.name || me.login).split(/\s+/).map((w) => w[0]).slice(0, 2).join('').toUpperCase()
  return (
    <Menu
      trigger={<button type="button" className="user"><span className="hidden">{t.nav.account} </span><span className="avatar" aria-hidden="true">{initials}</span><span className="user-name">{me.name || me.login}</span></button>}
      items={[
        { label: t.nav.themeSystem, checked: theme === 'system', onSelect: () => choose('system') },
        { label: t.nav.themeLight, checked: theme === 'light', onSelect: () => choose('light') },
        { label: t.nav.themeDark, checked: theme === 'dark', onSelect: () => choose('dark') },
        null,
        { label: t.nav.shortcuts, keys: '?', icon: <Keyboard size={14} aria-hidden="true" />, onSelect: () => onOpen('keys') },
        { label: t.nav.password, icon: <KeyRound size={14} aria-hidden="true" />, onSelect: () => onOpen('password') },
        { label: t.nav.signOut, icon: <LogOut size={14} aria-hidden="true" />, onSelect: signOut },
      ]}
    >
      <p className="menu-title">{theme === 'dark' ? <Moon size={13} aria-hidden="true" /> : theme === 'light' ? <Sun size={13} aria-hidden="true" /> : <SunMoon size={13} aria-hidden="true" />}{t.nav.theme}</p>
    </Menu>
  )
}

/** The line on top: the warehouse, what of mine is active, the way to anywhere. */
function Strip({ me, onPalette }: { me: Me; onPalette: () => void }) {
  const runs = useTopic<Partial<Run>[]>('runs')
  const up = useStreamUp()
  const active = runs?.data.length ?? 0
  const target = me.targets[0]
  return (
    <div className="strip">
      {target && <span className="strip-target"><i className={cx('dot', up ? 'succeeded' : 'queued')} aria-hidden="true" />{target.title || target.name}{target.database !== target.title && <span className="faint wide-only">{target.database}</span>}</span>}
      <span className="strip-runs" role="status">
        {active > 0 ? <Link to="/history">{t.nav.running(active)}</Link> : up ? <span className="faint wide-only">{t.nav.idle}</span> : <span className="faint wide-only">{t.nav.streamDown}</span>}
      </span>
      {me.actor && <span className="badge warn">{t.nav.actingFor(me.login)}</span>}
      <span className="grow" />
      <button type="button" className="strip-search" onClick={onPalette}><Command size={13} aria-hidden="true" /><span>{t.nav.palette}</span><kbd aria-hidden="true">{keys('mod+K')}</kbd></button>
    </div>
  )
}

function Shortcuts({ open, onOpen }: { open: boolean; onOpen: (open: boolean) => void }) {
  return (
    <Modal open={open} onOpen={onOpen} title={t.keys.title}>
      <dl className="keys">
        {t.keys.list.map(([combo, what]) => <div key={combo}><dt><kbd>{keys(combo)}</kbd></dt><dd>{what}</dd></div>)}
      </dl>
    </Modal>
  )
}
