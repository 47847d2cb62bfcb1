import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { request, send } from '../api/client'
import { useCancel, useCompletions } from '../api/hooks'
import { finished, useRun } from '../api/run'
import type { Me, Query, QueryVersion, Run } from '../api/types'
import { runId, short } from '../base'
import { SqlEditor } from '../editor/EditorView'
import type { Editor } from '../editor/create'
import { dialectOf } from '../editor/dialect'
import { formatSql } from '../editor/format'
import { oneLine } from '../format'
import { Bar, Button, Empty, Failure, keys, Skeleton, useTitle } from '../parts'
import { toast } from '../parts/toast'
import type { QuerySearch } from '../pages/QueryPage'
import { CopyLink, DownloadMenu, MoreActions } from '../run/actions'
import { Results, type View } from '../run/Results'
import { bindNames, split, utf16, type Span } from '../sql/split'
import { t } from '../strings'
import { dropRescue, readRescue, useAutosave, type Working } from './document'
import { guessType, paramOf, Params, savedParam, type ParamValue } from './Params'
import { useStart } from './run'
import { SaveDialog, type SaveValues } from './SaveDialog'
import { Schema } from './Schema'
import { useSplit } from './Splitter'
import { Toolbar } from './Toolbar'
import { TitleBar } from './TitleBar'
import { Versions } from './Versions'

interface Props { me: Me; query: Query | null; version: QueryVersion | null; onAdopt: (draft: Query) => void }

/** The page where SQL is written and run. */
export function Workbench({ me, query: loaded, version, onAdopt }: Props) {
  const navigate = useNavigate()
  const client = useQueryClient()
  const search: QuerySearch = useSearch({ strict: false })
  const editor = useRef<Editor | null>(null)
  const target = me.targets.find((x) => x.name === loaded?.target) ?? me.targets[0]
  const dialect = dialectOf(target?.dialect ?? 'postgres')
  const catalog = useCompletions(target?.name)

  const [query, setQuery] = useState(loaded)
  const initial = useRef(start(loaded, version, search.sql))
  const [text, setText] = useState(initial.current.sql)
  const [values, setValues] = useState<Record<string, ParamValue>>(initial.current.values)
  const [access, setAccess] = useState<'read_only' | 'read_write'>('read_only')
  const [maxRows, setMaxRows] = useState(100_000)
  const [dialog, setDialog] = useState<'save' | 'versions' | null>(null)
  const [rescue, setRescue] = useState(() => {
    if (version) return null
    const r = readRescue(loaded?.id ?? 'new')
    const served = loaded?.working?.at ?? loaded?.updated
    return r && r.sql !== initial.current.sql && r.sql.trim() !== '' && (!served || r.at > Date.parse(served)) ? r : null
  })
  const base = useRef<{ run: string; offset: number } | null>(null)
  useTitle(query?.title || t.query.untitled)

  const mounted = useRef(true)
  useEffect(() => { mounted.current = true; return () => { mounted.current = false } }, [])
  const saver = useAutosave({
    query, target: target?.name ?? '',
    onDraft: (draft) => {
      if (!mounted.current) return // the last words were kept after the page was left
      onAdopt(draft)
      setQuery(draft)
      void navigate({ to: '/d/$id', params: { id: short(draft.id) }, search: (s: QuerySearch) => s, replace: true })
    },
  })

  const names = useMemo(() => bindNames(text, { dialect }), [text, dialect])
  const choices = useMemo(() => Object.fromEntries((query?.params ?? []).flatMap((p) => (p.choices?.length ? [[p.name, p.choices]] : []))), [query])
  const valueOf = useCallback((name: string, from: Record<string, ParamValue>) => from[name] ?? { type: guessType(name), text: choices[name]?.[0] ?? '', isNull: false }, [choices])
  const working = useCallback((sql: string, from: Record<string, ParamValue>): Working => ({
    sql, chart: query?.chart ?? null, params: bindNames(sql, { dialect }).map((n) => ({ ...savedParam(n, valueOf(n, from)), ...(choices[n] ? { choices: choices[n] } : {}) })),
  }), [query, dialect, valueOf, choices])

  const edited = (sql: string) => {
    setText(sql)
    editor.current?.unmark()
    if (!version) saver.change(working(sql, values))
  }
  const setParam = (name: string, v: ParamValue) => {
    const next = { ...values, [name]: v }
    setValues(next)
    if (!version) saver.change(working(text, next))
  }

  // --- running
  const id = search.run ? runId(search.run) : null
  const run = useRun(id)
  const active = run.data !== undefined && !finished(run.data)
  const cancel = useCancel()
  const go = useStart((next: Run) => {
    base.current = { run: next.id, offset: pendingOffset.current }
    void navigate({ to: '.', replace: true, search: (s: QuerySearch) => ({ ...pick(s), run: short(next.id) }) })
  })
  const pendingOffset = useRef(0)

  const runSpan = (span: Span, multi: boolean, limit = maxRows) => {
    const doc = editor.current?.text() ?? text
    const sql = doc.slice(span.start, span.end)
    if (!target) { toast(t.query.noTarget, 'bad'); return }
    if (active || go.isPending) return
    if (sql.trim() === '') { toast(t.query.empty); return }
    editor.current?.unmark()
    pendingOffset.current = span.start
    const saved = query && !query.draft && doc === query.sql && split(doc, { dialect }).length <= 1 ? { id: query.id, version: query.version } : null
    go.mutate({
      target: target.name, sql, multi, access, maxRows: limit, title: query?.title ?? '', query: version ? null : saved,
      params: bindNames(sql, { dialect }).map((n) => paramOf(n, valueOf(n, values))),
    })
  }
  const runCurrent = (limit?: number) => {
    const st = editor.current?.current()
    if (st) runSpan(st, false, limit)
    else toast(t.query.empty)
  }
  const runAll = () => {
    const doc = editor.current?.text() ?? text
    const span = editor.current?.selection() ?? { start: 0, end: doc.length }
    runSpan(span, split(doc.slice(span.start, span.end), { dialect }).length > 1)
  }
  const stop = () => { if (active && id) cancel.mutate(id) }

  // The error stands under its token in the text, wherever the statement is now.
  const failure = run.data?.error
  const failed = run.data
  useEffect(() => {
    if (!failed?.sql || !failure?.position) return
    const doc = editor.current?.text() ?? ''
    const known = base.current?.run === failed.id ? base.current.offset : -1
    const from = known >= 0 && doc.startsWith(failed.sql, known) ? known : doc.indexOf(failed.sql)
    if (from >= 0) editor.current?.mark(from + utf16(failed.sql, failure.position.offset), failure.message)
  }, [failed, failure])

  // --- saving
  const store = useMutation({
    mutationFn: async (v: SaveValues | null) => {
      await saver.flush()
      const doc = editor.current?.text() ?? text
      const w = working(doc, values)
      const q = saver.current.current
      if (q && !q.draft && q.can.edit) {
        return (await request<Query>('PATCH', `/queries/${q.id}`, { body: { ...v, sql: doc, params: w.params, chart: w.chart }, headers: { 'If-Match': `"v${q.rev}"` } })).data
      }
      const made = await send<Query>('POST', '/queries', { ...v, sql: doc, params: w.params, chart: w.chart, draft: false, target: target?.name ?? '' })
      if (q?.draft) await send('DELETE', `/queries/${q.id}`).catch(() => undefined)
      return made
    },
    onSuccess: (q) => {
      setDialog(null)
      saver.discard()
      saver.put(q)
      setQuery(q)
      onAdopt(q)
      toast(t.query.saved(q.version))
      void client.invalidateQueries({ queryKey: ['queries'] })
      void client.invalidateQueries({ queryKey: ['versions', q.id] })
      void navigate({ to: '/q/$id', params: { id: short(q.id) }, search: (s: QuerySearch) => s, replace: true })
    },
    onError: (err) => toast(err.message, 'bad'),
  })
  const save = () => {
    if (query && !query.draft && query.can.edit && !version) store.mutate(null)
    else setDialog('save')
  }
  const replace = (sql: string) => { editor.current?.setText(sql); editor.current?.focus() }
  const format = () => void formatSql(editor.current?.text() ?? text, dialect).then(replace, () => toast(t.query.formatFailed, 'bad'))

  const loadTheirs = async () => {
    if (!query) return
    const fresh = (await request<Query>('GET', `/queries/${query.id}`)).data
    saver.discard()
    saver.put(fresh)
    setQuery(fresh)
    const next = start(fresh, null, undefined)
    setValues(next.values)
    replace(next.sql)
    saver.discard()
  }

  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (!(e.ctrlKey || e.metaKey) || e.defaultPrevented) return
      const act = e.key === 'Enter' ? (e.shiftKey ? runAll : () => runCurrent()) : e.key === '.' ? stop : e.key === 's' ? save : null
      if (!act || document.querySelector('[role="dialog"]')) return
      e.preventDefault()
      act()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  })

  const view: View = { kind: search.view === 'chart' ? 'chart' : 'table', statement: Number(search.statement ?? 0) || 0, chart: search.chart }
  const onView = (v: View) => void navigate({
    to: '.', replace: true, search: { ...pick(search), ...(search.run ? { run: search.run } : {}), ...(v.kind === 'chart' ? { view: 'chart' } : {}), ...(v.chart ? { chart: v.chart } : {}), ...(v.statement ? { statement: String(v.statement) } : {}) },
  })
  const sideSplit = useSplit('lk:side', 248, 160, 480, 'x', t.query.hideSchema)
  const editorSplit = useSplit('lk:editor', 260, 120, 900, 'y', t.query.editor)
  const [side, setSide] = useState(() => window.matchMedia('(min-width: 900px)').matches && localStorage.getItem('lk:side-shut') !== '1')
  const showSide = (on: boolean) => { setSide(on); localStorage.setItem('lk:side-shut', on ? '' : '1') }

  const dirty = query !== null && !query.draft && text !== query.sql
  return (
    <div className="workbench">
      <TitleBar
        query={query} version={version} state={saver.state} dirty={dirty} onSave={save} saving={store.isPending} onVersions={() => setDialog('versions')}
        onRenamed={(q) => { saver.put(q); setQuery(q) }} onFlush={saver.flush} side={side} onSide={showSide}
      />
      {version && <Bar actions={query && <Button small onClick={() => void navigate({ to: '/q/$id', params: { id: short(query.id) } })}>{t.query.toCurrent}</Button>}>{t.query.viewingVersion(version.version)}</Bar>}
      {saver.state === 'conflict' && (
        <Bar tone="warn" role="alert" actions={<><Button small onClick={() => void loadTheirs()}>{t.query.conflictTheirs}</Button><Button small onClick={() => void saver.overwrite()}>{t.query.conflictMine}</Button></>}>{t.query.conflict}</Bar>
      )}
      {rescue && (
        <Bar
          tone="warn" role="alert" actions={<>
            <Button small look="primary" onClick={() => { setRescue(null); setValues(valuesOf(rescue.params)); replace(rescue.sql) }}>{t.query.rescueUse}</Button>
            <Button small onClick={() => { dropRescue(query?.id ?? 'new'); setRescue(null) }}>{t.query.rescueDrop}</Button>
          </>}
        >{t.query.rescued}</Bar>
      )}
      <div className="bench">
        {side && <aside className="bench-side" style={{ width: sideSplit.size }}><Schema target={target?.name} onInsert={(x) => editor.current?.insert(x)} /></aside>}
        {side && sideSplit.handle}
        <div className="bench-main">
          <div className="bench-editor" style={{ height: editorSplit.size }}>
            <SqlEditor
              ref={editor} initial={initial.current.sql} dialect={dialect} catalog={catalog.data} readOnly={version !== null} autoFocus={!search.run}
              commands={{ runCurrent: () => runCurrent(), runAll, cancel: stop, save, format, changed: edited }}
            />
          </div>
          {editorSplit.handle}
          <Toolbar
            active={active || go.isPending} stopping={cancel.isPending || run.data?.cancel != null} canCancel={run.data?.can.cancel ?? false} target={target} access={access} onAccess={setAccess} maxRows={maxRows} onMaxRows={setMaxRows}
            onRun={() => runCurrent()} onRunAll={runAll} onCancel={stop} onFormat={format} readOnly={version !== null}
          />
          <Params names={names} values={values} choices={choices} onChange={setParam} />
          <section className="bench-results" aria-label={t.run.title}>
            {id === null && <Empty title={target ? t.query.firstResult : t.home.noTarget(me.login)} {...(target ? { hint: t.query.firstResultHint(keys('mod+Enter')) } : {})} />}
            {id !== null && run.isPending && <Skeleton rows={5} />}
            {run.isError && <Failure error={run.error} onRetry={() => void run.refetch()} />}
            {run.data && (
              <Results
                run={run.data} view={view} onView={onView} ownCancel
                limit={<Button small onClick={() => { setMaxRows(maxRows * 10); runCurrent(maxRows * 10) }}>{t.run.raiseLimit}</Button>}
                actions={<><CopyLink run={run.data} /><DownloadMenu run={run.data} statement={view.statement} /><MoreActions run={run.data} /></>}
              />
            )}
          </section>
        </div>
      </div>
      <SaveDialog open={dialog === 'save'} onOpen={(o) => setDialog(o ? 'save' : null)} query={query} teams={me.teams} suggested={oneLine(text).slice(0, 60)} busy={store.isPending} onSave={(v) => store.mutate(v)} />
      {query && <Versions open={dialog === 'versions'} onOpen={(o) => setDialog(o ? 'versions' : null)} id={query.id} text={() => editor.current?.text() ?? text} canEdit={version === null} onRestore={(v) => replace(v.sql)} />}
    </div>
  )
}

function pick(s: QuerySearch): QuerySearch {
  return s.sql !== undefined ? { sql: s.sql } : {}
}

function valuesOf(params: { name: string; type: string; default: string | null }[]): Record<string, ParamValue> {
  return Object.fromEntries(params.map((p) => [p.name, { type: p.type, text: p.default ?? '', isNull: false }]))
}

/** The text to begin with: an old version, the working copy, the saved text, or what the address brings. */
function start(query: Query | null, version: QueryVersion | null, sql: string | undefined): { sql: string; values: Record<string, ParamValue> } {
  const from = version ?? query?.working ?? query
  return { sql: from?.sql ?? sql ?? '', values: valuesOf(from?.params ?? []) }
}
