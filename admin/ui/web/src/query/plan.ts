// The warehouse's plan is text: one line a step, deeper steps further to the right,
// what is said of a step below it. Postgres and Redshift write it alike.

export interface PlanStep {
  name: string
  /** What it has cost when its last row is out, with all below it; null: not said. */
  cost: number | null
  rows: number | null
  width: number | null
  details: string[]
  steps: PlanStep[]
}

export interface Plan {
  steps: PlanStep[]
  /** Lines that belong to no step. */
  rest: string[]
}

const estimate = /^(.*?)\s*\(cost=([\d.]+)\.\.([\d.]+) rows=(\d+) width=(\d+)\)\s*$/
const group = /^(SubPlan|InitPlan|CTE)\b/

/** Reads the text of an EXPLAIN. What it does not know it keeps as it stands. */
export function readPlan(text: string): Plan {
  const plan: Plan = { steps: [], rest: [] }
  const open: { at: number; step: PlanStep }[] = []
  for (const line of text.split('\n')) {
    const body = line.trimStart()
    const at = line.length - body.length
    if (body === '') continue
    const bare = body.replace(/^->\s+/, '')
    const found = estimate.exec(bare)
    const isStep = found !== null || body.startsWith('->') || group.test(bare)
    if (!isStep) {
      const owner = open.findLast((o) => o.at < at)
      if (owner) {
        owner.step.details.push(body.trimEnd())
      } else {
        plan.rest.push(line.trimEnd())
        open.length = 0 // what follows belongs to this line
      }
      continue
    }
    while (open.length > 0 && open.at(-1)!.at >= at) open.pop()
    const step: PlanStep = {
      name: found ? found[1]! : bare.trimEnd(), cost: found ? Number(found[3]) : null, rows: found ? Number(found[4]) : null, width: found ? Number(found[5]) : null, details: [], steps: [],
    }
    const parent = open.at(-1)?.step
    if (parent) parent.steps.push(step)
    else plan.steps.push(step)
    open.push({ at, step })
  }
  return plan
}

/** What a step costs without those below it, as a share of the whole; null: not said. */
export function ownShare(step: PlanStep, whole: number): number | null {
  if (step.cost === null || whole <= 0) return null
  return Math.min(1, Math.max(0, step.cost - below(step)) / whole)
}

function below(step: PlanStep): number {
  return step.steps.reduce((n, s) => n + (s.cost ?? below(s)), 0)
}

export function wholeCost(plan: Plan): number {
  return plan.steps.reduce((n, s) => n + (s.cost ?? below(s)), 0)
}
