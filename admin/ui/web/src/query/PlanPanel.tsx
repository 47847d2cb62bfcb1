import { CircleCheck, CircleX, ChevronRight, Hourglass, RotateCw, TriangleAlert } from 'lucide-react'
import { useMemo, useState, type CSSProperties, type ReactNode } from 'react'
import type { Explanation, ExplainedStatement, RunError } from '../api/types'
import { decimal, estimate } from '../format'
import { Bar, Button, CopyButton, cx, Failure, Loading } from '../parts'
import { t } from '../strings'
import { given, type Question } from './explain'
import { ownShare, readPlan, wholeCost, type PlanStep } from './plan'

interface Props { question: Question; answer: Explanation | undefined; error: unknown; pending: boolean; stale: boolean; readOnly: boolean; onAgain: () => void }

/** What a statement would do: what the policy says, and the warehouse's plan. */
export function PlanPanel({ question, answer, error, pending, stale, readOnly, onAgain }: Props) {
  if (pending) return <Loading label={t.plan.asking} />
  if (error) return <Failure error={error} onRetry={onAgain} />
  if (!answer) return null
  const sent = given(question)
  // The refusal is said once.
  const refused = answer.plan?.error?.code === 'policy-denied' && answer.statements.some((s) => s.verdict === 'deny')
  const nulls = question.names.filter((n) => !sent.includes(n))
  return (
    <div className="plan-panel" tabIndex={0} role="region" aria-label={t.plan.title}>
      {stale && <Bar actions={<Button small icon={<RotateCw size={13} aria-hidden="true" />} onClick={onAgain}>{t.plan.again}</Button>}>{t.plan.stale}</Bar>}
      {answer.statements.map((s) => <Verdict key={s.index} statement={s} readOnly={readOnly} />)}
      {nulls.length > 0 && <p className="plan-note hint">{t.plan.nulls(nulls.map((n) => ':' + n).join(', '))}</p>}
      {!refused && (
        <section className="plan" aria-label={t.plan.heading}>
          <h2>{t.plan.heading}</h2>
          {answer.plan?.text ? <Steps text={answer.plan.text} /> : answer.plan?.error ? <NoPlan error={answer.plan.error} /> : <p className="hint">{t.plan.none}</p>}
        </section>
      )}
    </div>
  )
}

const signs: Record<string, ReactNode> = {
  allow: <CircleCheck size={17} aria-hidden="true" />, warn: <TriangleAlert size={17} aria-hidden="true" />, queue: <Hourglass size={17} aria-hidden="true" />, deny: <CircleX size={17} aria-hidden="true" />,
}

function Verdict({ statement: s, readOnly }: { statement: ExplainedStatement; readOnly: boolean }) {
  const limits = Object.entries(s.limits ?? {})
  return (
    <section className={cx('verdict', s.verdict)} aria-label={t.plan.title}>
      <p className="verdict-head">{signs[s.verdict]}<span><b>{t.plan.verdicts[s.verdict] ?? t.plan.verdictOther(s.verdict)}</b> <span className="faint">{t.plan.notRun}</span></span></p>
      {s.message && <p className="verdict-said">{s.message}</p>}
      {readOnly && s.verdict !== 'deny' && s.writes.length > 0 && <p className="verdict-said">{t.plan.readOnlyWrites}</p>}
      {s.unknown && <p className="verdict-said">{t.plan.unknown}</p>}
      <dl className="verdict-facts">
        <Fact name={t.plan.kind}>{t.plan.kinds[s.kind] ?? s.kind}</Fact>
        {s.class && <Fact name={t.plan.class}><code>{s.class}</code></Fact>}
        <Fact name={t.plan.reads}><Names of={s.reads} /></Fact>
        <Fact name={t.plan.writes}><Names of={s.writes} /></Fact>
        {s.functions.length > 0 && <Fact name={t.plan.functions}><Names of={s.functions} /></Fact>}
        {s.rules.length > 0 && <Fact name={t.plan.rules}><Names of={s.rules} /></Fact>}
        {limits.length > 0 && <Fact name={t.plan.limits}>{limits.map(([k, v]) => <code key={k}>{k} {v}</code>)}</Fact>}
      </dl>
    </section>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>
}

function Names({ of }: { of: string[] }) {
  return of.length === 0 ? <span className="faint">{t.plan.nothing}</span> : of.map((n) => <code key={n}>{n}</code>)
}

function NoPlan({ error }: { error: RunError }) {
  return (
    <div className="trouble calm" role="alert">
      <CircleX size={16} aria-hidden="true" />
      <div className="trouble-body">
        <p className="trouble-title">{t.plan.failed}</p>
        <p>{error.message}</p>
        {error.hint && <p>{t.run.hint}: {error.hint}</p>}
        {error.position && <p className="faint">{t.run.at(error.position.line, error.position.column)}{error.sqlstate && ` · ${error.sqlstate}`}</p>}
      </div>
    </div>
  )
}

function Steps({ text }: { text: string }) {
  const plan = useMemo(() => readPlan(text), [text])
  const whole = wholeCost(plan)
  return (
    <>
      {plan.steps.length > 0 && (
        <div className="steps">
          <div className="step-head" aria-hidden="true"><span>{t.plan.step}</span><span>{t.plan.rows}</span><span>{t.plan.cost}</span></div>
          <ul>{plan.steps.map((s, i) => <Step key={i} step={s} whole={whole} depth={0} />)}</ul>
        </div>
      )}
      {plan.rest.length > 0 && <pre className="code">{plan.rest.join('\n')}</pre>}
      {plan.steps.length > 0 && (
        <details className="plan-text">
          <summary>{t.plan.text}</summary>
          <div className="plan-raw"><pre className="code" tabIndex={0}>{text}</pre><CopyButton text={text} /></div>
        </details>
      )}
      <p className="hint">{t.plan.estimated}</p>
    </>
  )
}

function Step({ step, whole, depth }: { step: PlanStep; whole: number; depth: number }) {
  const [open, setOpen] = useState(true)
  const share = ownShare(step, whole)
  const percent = share === null ? null : Math.round(share * 100)
  const deep = step.steps.length > 0
  return (
    <li>
      <div className="step" style={{ '--depth': depth } as CSSProperties}>
        <div className="step-name">
          {deep ? (
            <button type="button" className="step-fold" aria-expanded={open} aria-label={t.plan.fold(step.name)} onClick={() => setOpen(!open)}><ChevronRight size={14} className={cx('twist', open && 'open')} aria-hidden="true" /></button>
          ) : <span className="step-fold" />}
          <div><b>{step.name}</b>{step.details.map((d, i) => <code key={i}>{d}</code>)}</div>
        </div>
        <span className="step-number" title={step.rows === null ? undefined : decimal(step.rows)}>{step.rows !== null && <><span className="hidden">{t.plan.rows}: </span>{estimate(step.rows)}</>}</span>
        <span className="step-number" title={step.cost === null || percent === null ? undefined : `${decimal(step.cost)}; ${t.plan.share(percent)}`}>
          {step.cost !== null && <><span className="hidden">{t.plan.cost}: </span>{estimate(step.cost)}</>}
          {percent !== null && <><i className="step-bar" aria-hidden="true" style={{ '--share': `${percent}%` } as CSSProperties} /><span className="hidden">, {t.plan.share(percent)}</span></>}
        </span>
      </div>
      {deep && open && <ul>{step.steps.map((s, i) => <Step key={i} step={s} whole={whole} depth={depth + 1} />)}</ul>}
    </li>
  )
}
