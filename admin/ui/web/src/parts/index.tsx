// The small parts that every page is made of.
import { AlertTriangle, Check, Copy, Inbox, LoaderCircle, X } from 'lucide-react'
import { Dialog as RDialog, DropdownMenu, Popover as RPopover } from 'radix-ui'
import { forwardRef, useEffect, useId, useRef, useState, type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from 'react'
import { Problem } from '../api/client'
import { exactTime, roughTime } from '../format'
import { t } from '../strings'
import { toast } from './toast'

export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: 'plain' | 'primary' | 'quiet' | 'danger'
  icon?: ReactNode
  small?: boolean
}

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button({ look = 'plain', icon, small, className, children, type = 'button', ...rest }, ref) {
  return (
    <button ref={ref} type={type} className={cx('button', look, small && 'small', !children && 'only-icon', className)} {...rest}>
      {icon}
      {children !== undefined && children !== null && <span>{children}</span>}
    </button>
  )
})

interface FieldProps { label: string; hint?: string; hideLabel?: boolean }

export const Input = forwardRef<HTMLInputElement, FieldProps & InputHTMLAttributes<HTMLInputElement>>(function Input({ label, hint, hideLabel, className, id: given, ...rest }, ref) {
  const own = useId()
  const id = given ?? own
  return (
    <div className={cx('field', className)}>
      <label htmlFor={id} className={hideLabel ? 'hidden' : undefined}>{label}</label>
      <input ref={ref} id={id} aria-describedby={hint ? id + 'h' : undefined} autoComplete="off" {...rest} />
      {hint && <p id={id + 'h'} className="hint">{hint}</p>}
    </div>
  )
})

export function Select({ label, hint, hideLabel, className, id: given, children, ...rest }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const own = useId()
  const id = given ?? own
  return (
    <div className={cx('field', className)}>
      <label htmlFor={id} className={hideLabel ? 'hidden' : undefined}>{label}</label>
      <select id={id} {...rest}>{children}</select>
      {hint && <p className="hint">{hint}</p>}
    </div>
  )
}

export function Badge({ tone = 'plain', children, title, icon }: { tone?: 'plain' | 'good' | 'warn' | 'bad' | 'info'; children: ReactNode; title?: string; icon?: ReactNode }) {
  return <span className={cx('badge', tone)} title={title}>{icon}{children}</span>
}

export function StateDot({ state }: { state: keyof typeof t.run.states }) {
  return (
    <span className={cx('state', state)}>
      <i aria-hidden="true" />
      {t.run.states[state]}
    </span>
  )
}

export function Time({ at }: { at: string | null | undefined }) {
  if (!at) return <span>{t.none}</span>
  return <time dateTime={at} title={exactTime(at)}>{roughTime(at)}</time>
}

export function Loading({ label = t.loading }: { label?: string }) {
  return (
    <div className="loading" role="status">
      <LoaderCircle className="spin" size={16} aria-hidden="true" />
      <span>{label}</span>
    </div>
  )
}

/** Grey bars where a list will be. */
export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label={t.loading}>
      {Array.from({ length: rows }, (_, i) => <i key={i} className={`w${i % 4}`} />)}
    </div>
  )
}

export function Empty({ title, hint, icon, children }: { title: string; hint?: string; icon?: ReactNode; children?: ReactNode }) {
  return (
    <div className="empty">
      <span className="empty-icon" aria-hidden="true">{icon ?? <Inbox size={20} />}</span>
      <p className="empty-title">{title}</p>
      {hint && <p className="hint">{hint}</p>}
      {children}
    </div>
  )
}

/** What failed, in the server's words. What passes by itself is asked again by itself. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = error instanceof Problem ? error : null
  const wait = onRetry ? problem?.again ?? null : null
  const retry = useRef(onRetry)
  retry.current = onRetry
  useEffect(() => {
    if (wait === null) return
    const timer = setInterval(() => { if (!document.hidden) retry.current?.() }, wait)
    return () => clearInterval(timer)
  }, [wait, error])
  if (problem?.status === 404) return <NotFound />
  return (
    <div className="failure" role="alert">
      <AlertTriangle size={16} aria-hidden="true" />
      <div>
        <p>{error instanceof Error ? error.message : t.errors.unexpected}</p>
        {wait !== null && <p className="hint">{t.errors.again(Math.round(wait / 1000))}</p>}
        {problem?.body.request_id && <p className="hint mono">{t.errors.request(problem.body.request_id)}</p>}
      </div>
      {onRetry && <Button small onClick={onRetry}>{t.retry}</Button>}
    </div>
  )
}

export function NotFound({ heading }: { heading?: boolean }) {
  return (
    <div className="empty page-empty">
      {heading && <h1 className="hidden">{t.notFoundTitle}</h1>}
      <p className="empty-title">{t.notFound}</p>
    </div>
  )
}

export function Bar({ tone = 'info', children, actions, role }: { tone?: 'info' | 'warn' | 'bad'; children: ReactNode; actions?: ReactNode; role?: string }) {
  return (
    <div className={cx('bar', tone)} role={role}>
      <div className="bar-text">{children}</div>
      {actions && <div className="bar-actions">{actions}</div>}
    </div>
  )
}

export async function copyText(text: string, said: string = t.copied): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(said)
  } catch {
    toast(t.copyFailed, 'bad')
  }
}

export function CopyButton({ text, label = t.copy, said, look }: { text: string; label?: string; said?: string; look?: ButtonProps['look'] }) {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const click = () => { void copyText(text, said).then(() => setDone(true)) }
  return <Button small look={look ?? 'plain'} icon={done ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />} onClick={click}>{label}</Button>
}

export function Modal({ open, onOpen, title, description, children, wide, className }: {
  open: boolean; onOpen: (open: boolean) => void; title: string; description?: string; children: ReactNode; wide?: boolean; className?: string
}) {
  return (
    <RDialog.Root open={open} onOpenChange={onOpen}>
      <RDialog.Portal>
        <RDialog.Overlay className="overlay" />
        <RDialog.Content className={cx('modal', wide && 'wide', className)} {...(description ? {} : { 'aria-describedby': undefined })}>
          <header className="modal-head">
            <RDialog.Title>{title}</RDialog.Title>
            <RDialog.Close asChild><Button look="quiet" small aria-label={t.close} icon={<X size={16} aria-hidden="true" />} /></RDialog.Close>
          </header>
          {description && <RDialog.Description className="modal-lead">{description}</RDialog.Description>}
          {children}
        </RDialog.Content>
      </RDialog.Portal>
    </RDialog.Root>
  )
}

/** A question before something that cannot be undone. */
export function Confirm({ open, onOpen, title, text, action, onYes }: { open: boolean; onOpen: (open: boolean) => void; title: string; text: string; action: string; onYes: () => void }) {
  return (
    <Modal open={open} onOpen={onOpen} title={title} description={text}>
      <footer className="modal-foot">
        <Button onClick={() => onOpen(false)}>{t.cancel}</Button>
        <Button look="danger" onClick={() => { onOpen(false); onYes() }}>{action}</Button>
      </footer>
    </Modal>
  )
}

export interface MenuItem { label: string; icon?: ReactNode; onSelect: () => void; disabled?: boolean; danger?: boolean; keys?: string; href?: string; checked?: boolean }

export function Menu({ trigger, items, label, children }: { trigger: ReactNode; items?: (MenuItem | null)[]; label?: string; children?: ReactNode }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4} collisionPadding={8} {...(label ? { 'aria-label': label } : {})}>
          {children}
          {items?.map((item, i) =>
            item === null ? <DropdownMenu.Separator key={i} className="menu-line" /> : item.checked !== undefined ? (
              <DropdownMenu.CheckboxItem key={item.label} className="menu-item" checked={item.checked} onSelect={(e) => { e.preventDefault(); item.onSelect() }}>
                <span className="menu-check" aria-hidden="true">{item.checked && <Check size={14} />}</span>{item.label}
              </DropdownMenu.CheckboxItem>
            ) : (
              <DropdownMenu.Item key={item.label} className={cx('menu-item', item.danger && 'danger')} disabled={item.disabled ?? false} onSelect={item.onSelect}>
                {item.icon}{item.label}{item.keys && <kbd>{item.keys}</kbd>}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

export function Popover({ trigger, label, children, open, onOpen }: { trigger: ReactNode; label: string; children: ReactNode; open?: boolean; onOpen?: (open: boolean) => void }) {
  return (
    <RPopover.Root {...(open === undefined ? {} : { open })} {...(onOpen ? { onOpenChange: onOpen } : {})}>
      <RPopover.Trigger asChild>{trigger}</RPopover.Trigger>
      <RPopover.Portal>
        <RPopover.Content className="popover" align="end" sideOffset={4} collisionPadding={8} aria-label={label}>{children}</RPopover.Content>
      </RPopover.Portal>
    </RPopover.Root>
  )
}

/** Radio buttons that look like one bar. */
export function Segmented<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: { value: T; label: string; icon?: ReactNode }[]; onChange: (value: T) => void }) {
  const name = useId()
  return (
    <div className="segmented" role="radiogroup" aria-label={label}>
      {options.map((o) => (
        <label key={o.value} className={cx(o.value === value && 'on')}>
          <input type="radio" name={name} value={o.value} checked={o.value === value} onChange={() => onChange(o.value)} />
          {o.icon}{o.label}
        </label>
      ))}
    </div>
  )
}

/** Tells a browser that keeps passwords whose this one is. */
export function Whose({ login }: { login: string | undefined }) {
  return <input className="hidden" name="username" autoComplete="username" readOnly tabIndex={-1} aria-hidden="true" value={login ?? ''} />
}

/** The name of the page in the tab and as its one heading. */
export function useTitle(title: string): void {
  useEffect(() => { document.title = `${title} · ${t.product}` }, [title])
}

/** A clock for things that grow older while one looks. */
export function useNow(every: number, on = true): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (!on) return
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every, on])
  return now
}

export function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value)
  useEffect(() => { ref.current = value })
  return ref
}

const mac = /Mac|iPhone|iPad/.test(navigator.platform)
/** mod+Enter as this machine's keyboard says it. */
export function keys(combo: string): string {
  return mac ? combo.replace('mod', '⌘').replace('Shift', '⇧').replaceAll('+', '').replace('Enter', '↵') : combo.replace('mod', 'Ctrl')
}

export function isMod(e: KeyboardEvent | React.KeyboardEvent): boolean {
  return mac ? e.metaKey : e.ctrlKey
}
