import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useLocation, useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useCancel, useCompletions } from '../api/hooks'
import { useRun } from '../api/run'
import { finished } from '../api/state'
import { Problem, request, send } from '../api/client'
import type { ChartSpec, Me, Query, QueryVersion, Run } from '../api/types'
import { runId, short } from '../base'
import { SqlEditor } from '../editor/EditorView'
import type { Editor } from '../editor/contract'
import { formatSql } from '../editor/format'
import { oneLine } from '../format'
import { X } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { Bar, Button, Empty, Failure, isMod, keys, Skeleton, Time, useTitle } from '../parts'
import { toast } from '../parts/toast'
import type { QuerySearch } from '../pages/QueryPage'
import { CopyLink, DownloadMenu, MoreActions } from '../run/actions'
import { Results } from '../run/Results'
import { askedStatement, linkSearch, shownStatement, statementSearch, type View } from '../run/shown'
import { dialectOf } from '../sql/lexer'
import { bindNames, split, utf16, type Span } from '../sql/split'
import { t } from '../strings'
import { dropRescue, readRescue, useAutosave, type Working } from './document'
import { useExplain, type Question } from './explain'
import { Params } from './Params'
import { fieldId, freshParam, lacks, paramOf, savedParam, valuesOf, valuesOfRun, type ParamValue } from './params'
import { PlanPanel } from './PlanPanel'
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
  const [chart, setChart] = useState<ChartSpec | null>(initial.current.chart)
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
    query, target: target?.name ?? '', owner: me.id,
    onDraft: (draft) => {
      if (!mounted.current) return // the last words were kept after the page was left
      onAdopt(draft)
      setQuery(draft)
      void navigate({ to: '/d/$id', params: { id: short(draft.id) }, search: (s: QuerySearch) => s, replace: true })
    },
  })

  const names = useMemo(() => bindNames(text, { dialect }), [text, dialect])
  const draft = query === null || query.draft
  const working = useCallback((sql: string, from: Record<string, ParamValue>, drawn: ChartSpec | null): Working => ({
    sql, chart: drawn, params: bindNames(sql, { dialect }).map((n) => savedParam(n, from[n] ?? freshParam(n), draft)),
  }), [dialect, draft])

  const edited = (sql: string) => {
    setText(sql)
    editor.current?.unmark()
    if (!version) saver.change(working(sql, values, chart))
  }
  const setParam = (name: string, v: ParamValue) => {
    const next = { ...values, [name]: v }
    setValues(next)
    if (!version) saver.change(working(text, next, chart))
  }
  // A chart is kept with the query it is of; of somebody else's it stays in the address.
  const keepsChart = !version && (query === null || query.can.edit)
  const draw = (next: ChartSpec) => {
    setChart(next)
    saver.change(working(text, values, next))
  }

  // --- running
  const id = search.run ? runId(search.run) : null
  const run = useRun(id)
  const active = run.data !== undefined && !finished(run.data)
  const cancel = useCancel()
  const go = useStart((next: Run) => {
    base.current = { run: next.id, offset: pendingOffset.current }
    void navigate({ to: '.', replace: true, search: (s: QuerySearch) => ({ ...pick(s), run: short(next.id), ...(s.view ? { view: s.view } : {}), ...(s.chart ? { chart: s.chart } : {}) }) })
  })
  const pendingOffset = useRef(0)

  const runSpan = (span: Span, multi: boolean, limit = maxRows) => {
    const doc = editor.current?.text() ?? text
    const sql = doc.slice(span.start, span.end)
    if (!target) { toast(t.query.noTarget, 'bad'); return }
    if (active || go.isPending) return
    if (sql.trim() === '') { toast(t.query.empty); return }
    const bound = bindNames(sql, { dialect })
    const empty = bound.find((n) => lacks(values[n] ?? freshParam(n)))
    if (empty !== undefined) {
      toast(t.query.paramEmpty(empty), 'bad')
      document.getElementById(fieldId(empty))?.focus()
      return
    }
    editor.current?.unmark()
    pendingOffset.current = span.start
    setTab('result')
    const saved = query && !query.draft && doc === query.sql && split(doc, { dialect }).length <= 1 ? { id: query.id, version: query.version } : null
    go.mutate({
      target: target.name, sql, multi, access, maxRows: limit, title: query?.title ?? '', query: version ? null : saved,
      params: bound.map((n) => paramOf(n, values[n] ?? freshParam(n))),
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
  // --- explaining
  const explain = useExplain()
  const [asked, setAsked] = useState<Question | null>(null)
  const [tab, setTab] = useState<'result' | 'plan'>('result')
  const ask = (q: Question) => {
    setAsked(q)
    setTab('plan')
    editor.current?.unmark()
    explain.mutate(q, {
      onSuccess: (x) => {
        const bad = x.plan?.error
        if (bad?.position && (editor.current?.text() ?? '').startsWith(q.sql, q.offset)) editor.current?.mark(q.offset + utf16(q.sql, bad.position.offset), bad.message)
      },
    })
  }
  const explainCurrent = () => {
    if (!target) { toast(t.query.noTarget, 'bad'); return }
    const st = editor.current?.current()
    if (!st) { toast(t.query.empty); return }
    const sql = (editor.current?.text() ?? text).slice(st.start, st.end)
    const names = bindNames(sql, { dialect })
    ask({ target: target.name, sql, names, values: Object.fromEntries(names.map((n) => [n, values[n] ?? freshParam(n)])), offset: st.start })
  }

  const stop = () => { if (active && id) cancel.mutate(id) }

  // What is shown was asked with these values: they stand in the fields when the page
  // opens, but for a draft, which keeps its own.
  const opened = useRef(search.run && query && !query.draft ? runId(search.run) : null)
  const shownRun = run.data
  useEffect(() => {
    if (!shownRun || shownRun.id !== opened.current) return
    opened.current = null
    setValues((now) => valuesOfRun(shownRun.params, now))
  }, [shownRun])

  // A draft that was saved is a query, at the query's address.
  const path = useLocation({ select: (l) => l.pathname })
  const home = query && !version ? (query.draft ? '/d/' : '/q/') : null
  const strays = home !== null && !path.includes(home + short(query!.id)) && /\/[dq]\//.test(path)
  useEffect(() => {
    if (strays && query) void navigate({ to: query.draft ? '/d/$id' : '/q/$id', params: { id: short(query.id) }, search: (s: QuerySearch) => s, replace: true })
  }, [strays, query, navigate])

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
      return saver.save(working(editor.current?.text() ?? text, values, chart), async (work, q) => {
        const body = { ...v, ...work, draft: false }
        // A draft keeps its id: whoever has its address comes to the query.
        if (q?.can.edit) return (await request<Query>('PATCH', `/queries/${q.id}`, { body, headers: { 'If-Match': `"v${q.rev}"` } })).data
        return send<Query>('POST', '/queries', { ...body, target: target?.name ?? '' })
      })
    },
    onSuccess: (q) => {
      setDialog(null)
      setQuery(q)
      setValues((old) => ({ ...old, ...presets(q, old) }))
      onAdopt(q)
      toast(t.query.saved(q.version))
      void client.invalidateQueries({ queryKey: ['queries'] })
      void client.invalidateQueries({ queryKey: ['versions', q.id] })
      void navigate({ to: '/q/$id', params: { id: short(q.id) }, search: (s: QuerySearch) => s, replace: true })
    },
    onError: (err) => {
      if (err instanceof Problem && err.status === 412) { setDialog(null); saver.conflict() } else toast(err instanceof Problem && err.body.errors?.length ? err.body.errors.map((e) => `${e.pointer} ${e.message}`).join(' ') : err.message, 'bad')
    },
  })
  const save = () => {
    if (query && !query.draft && query.can.edit && !version) store.mutate(null)
    else setDialog('save')
  }
  const replace = (sql: string) => { editor.current?.setText(sql); editor.current?.focus() }
  /** Puts another text into the editor, with what belongs to it. */
  const bringBack = (w: Working) => {
    const of = valuesOf(w.params)
    setValues(of)
    setChart(w.chart)
    replace(w.sql)
    saver.change(working(w.sql, of, w.chart))
  }
  const format = () => void formatSql(editor.current?.text() ?? text, dialect).then(replace, () => toast(t.query.formatFailed, 'bad'))

  const loadTheirs = async () => {
    if (!query) return
    const fresh = (await request<Query>('GET', `/queries/${query.id}`)).data
    saver.discard()
    saver.put(fresh)
    setQuery(fresh)
    bringBack(fresh.working ?? fresh)
    saver.discard()
  }

  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (!(e.ctrlKey || e.metaKey) || e.defaultPrevented) return
      const act = e.key === 'Enter' ? (e.shiftKey ? runAll : () => runCurrent()) : e.key === '.' ? stop : e.key === 's' ? save : e.key.toLowerCase() === 'f' && e.shiftKey && !version ? format : e.key === 'e' && isMod(e) && !e.shiftKey ? explainCurrent : null
      if (!act || document.querySelector('[role="dialog"]')) return
      e.preventDefault()
      act()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  })

  const view: View = { kind: search.view === 'chart' || search.view === 'table' ? search.view : null, statement: askedStatement(search), chart: search.chart }
  const onView = (v: View) => void navigate({
    to: '.', replace: true, search: { ...pick(search), ...(search.run ? { run: search.run } : {}), ...(v.kind === 'chart' || (v.kind === 'table' && chart) ? { view: v.kind } : {}), ...(v.chart ? { chart: v.chart } : {}), ...statementSearch(v.statement) },
  })
  const sideSplit = useSplit('lk:side', 248, 160, 480, 'x', t.query.hideSchema)
  const editorSplit = useSplit('lk:editor', 260, 120, 900, 'y', t.query.editor)
  const [side, setSide] = useState(() => window.matchMedia('(min-width: 900px)').matches && localStorage.getItem('lk:side-shut') !== '1')
  const showSide = (on: boolean) => { setSide(on); localStorage.setItem('lk:side-shut', on ? '' : '1') }

  const dirty = query !== null && !query.draft && !version && (text !== query.sql || JSON.stringify(chart) !== JSON.stringify(query.chart))
  const last = version ? null : query?.last_run
  const result = (
    <>
      {id === null && (
        <Empty title={target ? t.query.firstResult : t.home.noTarget(me.login)} {...(target ? { hint: t.query.firstResultHint(keys('mod+Enter')) } : {})}>
          {last && <Button small onClick={() => { opened.current = last.id; void navigate({ to: '.', replace: true, search: { ...pick(search), run: short(last.id) } }) }}>{t.query.lastRun} <Time at={last.at} /></Button>}
        </Empty>
      )}
      {id !== null && run.isPending && <Skeleton rows={5} />}
      {run.isError && <Failure error={run.error} onRetry={() => void run.refetch()} />}
      {run.data && (
        <Results
          run={run.data} view={view} onView={onView} kept={chart} {...(keepsChart ? { onChart: draw } : {})} ownCancel
          limit={<Button small onClick={() => { setMaxRows(maxRows * 10); runCurrent(maxRows * 10) }}>{t.run.raiseLimit}</Button>}
          actions={<><CopyLink run={run.data} search={linkSearch(run.data, view, chart)} /><DownloadMenu run={run.data} statement={shownStatement(run.data, view.statement)} /><MoreActions run={run.data} /></>}
        />
      )}
    </>
  )
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
            <Button small look="primary" onClick={() => { setRescue(null); bringBack(rescue) }}>{t.query.rescueUse}</Button>
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
              commands={{ runCurrent: () => runCurrent(), runAll, cancel: stop, save, format, explain: explainCurrent, changed: edited }}
            />
          </div>
          {editorSplit.handle}
          <Toolbar
            active={active || go.isPending} stopping={cancel.isPending || run.data?.cancel != null} canCancel={run.data?.can.cancel ?? false} target={target} access={access} onAccess={setAccess} maxRows={maxRows} onMaxRows={setMaxRows}
            onRun={() => runCurrent()} onRunAll={runAll} onExplain={explainCurrent} onCancel={stop} onFormat={format} readOnly={version !== null}
          />
          <Params names={names} values={values} draft={draft} fixed={version !== null} onChange={setParam} />
          <section className="bench-results" aria-label={t.run.title}>
            {asked ? (
              <Tabs.Root className="bench-tabs" value={tab} onValueChange={(v) => setTab(v === 'plan' ? 'plan' : 'result')}>
                <div className="bench-tab-bar">
                  <Tabs.List className="tabs small" aria-label={t.plan.views}>
                    <Tabs.Trigger className="tab" value="result">{t.plan.result}</Tabs.Trigger>
                    <Tabs.Trigger className="tab" value="plan">{t.plan.title}</Tabs.Trigger>
                  </Tabs.List>
                  <Button look="quiet" small aria-label={t.plan.close} icon={<X size={14} aria-hidden="true" />} onClick={() => { setAsked(null); setTab('result') }} />
                </div>
                <Tabs.Content value="result" className="tab-body" tabIndex={-1}>{result}</Tabs.Content>
                <Tabs.Content value="plan" className="tab-body" tabIndex={-1}>
                  <PlanPanel question={asked} answer={explain.data} error={explain.error} pending={explain.isPending} stale={!text.includes(asked.sql)} readOnly={access === 'read_only'} onAgain={explainCurrent} />
                </Tabs.Content>
              </Tabs.Root>
            ) : result}
          </section>
        </div>
      </div>
      <SaveDialog open={dialog === 'save'} onOpen={(o) => setDialog(o ? 'save' : null)} query={query} teams={me.teams} suggested={oneLine(text).slice(0, 60)} busy={store.isPending} onSave={(v) => store.mutate(v)} />
      {query && <Versions open={dialog === 'versions'} onOpen={(o) => setDialog(o ? 'versions' : null)} query={query} now={() => working(editor.current?.text() ?? text, values, chart)} canEdit={version === null} onRestore={bringBack} onReleased={(q) => { saver.put(q); setQuery(q) }} />}
    </div>
  )
}

function pick(s: QuerySearch): QuerySearch {
  return s.sql !== undefined ? { sql: s.sql } : {}
}

/** What a saved query declares, with the values that are in the fields. */
function presets(q: Query, now: Record<string, ParamValue>): Record<string, ParamValue> {
  return Object.fromEntries(Object.entries(valuesOf(q.params)).map(([n, v]) => [n, now[n] ? { ...v, text: now[n].text, isNull: now[n].isNull } : v]))
}

/** The text to begin with: an old version, the working copy, the saved text, or what the address brings. */
function start(query: Query | null, version: QueryVersion | null, sql: string | undefined): { sql: string; values: Record<string, ParamValue>; chart: ChartSpec | null } {
  const from = version ?? query?.working ?? query
  return { sql: from?.sql ?? sql ?? '', values: valuesOf(from?.params ?? []), chart: from?.chart ?? null }
}
