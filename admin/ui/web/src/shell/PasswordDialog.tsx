import { useState } from 'react'
import { useChange, useMe } from '../api/hooks'
import { Button, Input, Modal, Whose } from '../parts'
import { t } from '../strings'

export function PasswordDialog({ open, onOpen }: { open: boolean; onOpen: (open: boolean) => void }) {
  const me = useMe()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const save = useChange<void>({ method: 'PUT', path: '/me/password', body: () => (current ? { current, new: next } : { new: next }), said: t.signin.passwordSaved })
  return (
    <Modal open={open} onOpen={onOpen} title={t.nav.password}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); save.mutate(undefined, { onSuccess: () => { setCurrent(''); setNext(''); onOpen(false) } }) }}>
        <Whose login={me.data?.login} />
        <Input label={t.signin.currentPassword} type="password" autoComplete="current-password" value={current} onChange={(e) => setCurrent(e.target.value)} />
        <Input label={t.signin.newPassword} type="password" autoComplete="new-password" required value={next} onChange={(e) => setNext(e.target.value)} />
        <footer className="modal-foot"><Button look="primary" type="submit" disabled={!next || save.isPending}>{t.save}</Button></footer>
      </form>
    </Modal>
  )
}
