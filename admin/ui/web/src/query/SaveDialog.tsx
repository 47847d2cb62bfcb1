import { useState } from 'react'
import type { Query } from '../api/types'
import { Button, Input, Modal, Select } from '../parts'
import { t } from '../strings'

export interface SaveValues { title: string; description: string; tags: string[]; team: string | null }

export function SaveDialog({ open, onOpen, query, teams, suggested, busy, onSave }: { open: boolean; onOpen: (open: boolean) => void; query: Query | null; teams: string[]; suggested: string; busy: boolean; onSave: (v: SaveValues) => void }) {
  return (
    <Modal open={open} onOpen={onOpen} title={t.query.saveTitle}>
      <Form query={query} teams={teams} suggested={suggested} busy={busy} onSave={onSave} onOpen={onOpen} />
    </Modal>
  )
}

function Form({ query, teams, suggested, busy, onSave, onOpen }: { query: Query | null; teams: string[]; suggested: string; busy: boolean; onSave: (v: SaveValues) => void; onOpen: (open: boolean) => void }) {
  const [title, setTitle] = useState(query?.title || suggested)
  const [description, setDescription] = useState(query?.description ?? '')
  const [tags, setTags] = useState(query?.tags.join(', ') ?? '')
  const [team, setTeam] = useState(query?.team ?? '')
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); onSave({ title: title.trim(), description, tags: [...new Set(tags.split(',').map((x) => x.trim()).filter(Boolean))], team: team || null }) }}>
      <Input label={t.query.saveName} value={title} required maxLength={200} autoFocus onFocus={(e) => e.target.select()} onChange={(e) => setTitle(e.target.value)} />
      <Input label={t.query.description} value={description} maxLength={2000} onChange={(e) => setDescription(e.target.value)} />
      <Input label={t.query.saveTags} value={tags} onChange={(e) => setTags(e.target.value)} />
      <Select label={t.query.saveTeam} value={team} onChange={(e) => setTeam(e.target.value)}>
        <option value="">{t.query.noTeam}</option>
        {teams.map((x) => <option key={x}>{x}</option>)}
      </Select>
      <footer className="modal-foot">
        <Button onClick={() => onOpen(false)}>{t.cancel}</Button>
        <Button look="primary" type="submit" disabled={busy || title.trim() === ''}>{t.save}</Button>
      </footer>
    </form>
  )
}
