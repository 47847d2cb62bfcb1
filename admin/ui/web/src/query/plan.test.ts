import { describe, expect, it } from 'vitest'
import { ownShare, readPlan, wholeCost } from './plan'

const join = `Sort  (cost=120.50..121.00 rows=200 width=40)
  Sort Key: (count(*)) DESC
  ->  HashAggregate  (cost=100.00..110.00 rows=200 width=40)
        Group Key: e.channel
        ->  Hash Join  (cost=30.00..90.00 rows=5000 width=12)
              Hash Cond: (e.course_id = c.course_id)
              ->  Seq Scan on fact_enroll e  (cost=0.00..50.00 rows=5000 width=16)
                    Filter: (enrolled_at >= '2026-08-01'::date)
              ->  Hash  (cost=20.00..20.00 rows=800 width=4)
                    ->  Seq Scan on dim_course c  (cost=0.00..20.00 rows=800 width=4)`

describe('the plan', () => {
  it('is a tree by its indentation', () => {
    const { steps, rest } = readPlan(join)
    expect(rest).toEqual([])
    expect(steps).toHaveLength(1)
    const sort = steps[0]!
    expect(sort).toMatchObject({ name: 'Sort', cost: 121, rows: 200, width: 40, details: ['Sort Key: (count(*)) DESC'] })
    const hash = sort.steps[0]!.steps[0]!
    expect(hash.name).toBe('Hash Join')
    expect(hash.details).toEqual(['Hash Cond: (e.course_id = c.course_id)'])
    expect(hash.steps.map((s) => s.name)).toEqual(['Seq Scan on fact_enroll e', 'Hash'])
    expect(hash.steps[1]!.steps[0]!.name).toBe('Seq Scan on dim_course c')
  })

  it('says what a step costs by itself', () => {
    const plan = readPlan(join)
    expect(wholeCost(plan)).toBe(121)
    const hash = plan.steps[0]!.steps[0]!.steps[0]!
    expect(ownShare(hash, 121)).toBeCloseTo(20 / 121)
    expect(ownShare(hash.steps[1]!, 121)).toBe(0)
    expect(ownShare({ ...hash, cost: null }, 121)).toBeNull()
  })

  it('holds subplans and common table expressions under their names', () => {
    const { steps } = readPlan(`Seq Scan on a  (cost=5.00..40.00 rows=10 width=4)
  Filter: (x = $0)
  InitPlan 1 (returns $0)
    ->  Limit  (cost=0.00..5.00 rows=1 width=4)
          ->  Seq Scan on b  (cost=0.00..50.00 rows=10 width=4)
  CTE w
    ->  Result  (cost=0.00..0.01 rows=1 width=4)`)
    expect(steps[0]!.steps.map((s) => s.name)).toEqual(['InitPlan 1 (returns $0)', 'CTE w'])
    expect(steps[0]!.steps[0]!).toMatchObject({ cost: null, rows: null })
    expect(steps[0]!.steps[0]!.steps[0]!.steps[0]!.name).toBe('Seq Scan on b')
    expect(wholeCost({ steps: steps[0]!.steps, rest: [] })).toBeCloseTo(5.01)
  })

  it("reads Redshift's, and keeps what is no step", () => {
    const { steps, rest } = readPlan(`XN HashAggregate  (cost=131.97..133.41 rows=576 width=17)
  ->  XN Hash Join DS_DIST_INNER  (cost=2.52..126.60 rows=1000 width=17)
        Inner Dist Key: s.sellerid
        ->  XN Seq Scan on sales  (cost=0.00..110.00 rows=9000 width=17)
----- Tables missing statistics: sales -----`)
    expect(steps[0]!.steps[0]!.name).toBe('XN Hash Join DS_DIST_INNER')
    expect(rest).toEqual(['----- Tables missing statistics: sales -----'])
  })

  it('gives what follows the steps to none of them', () => {
    const { steps, rest } = readPlan('Result  (cost=0.00..0.01 rows=1 width=4)\n  Output: 1\nJIT:\n  Functions: 3\n  Options: Inlining true')
    expect(steps[0]!.details).toEqual(['Output: 1'])
    expect(rest).toEqual(['JIT:', '  Functions: 3', '  Options: Inlining true'])
  })

  it('keeps a text it does not know', () => {
    expect(readPlan('Utility statements have no plan structure')).toEqual({ steps: [], rest: ['Utility statements have no plan structure'] })
    expect(readPlan('')).toEqual({ steps: [], rest: [] })
  })
})
