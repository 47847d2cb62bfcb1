// What /api/v1 speaks. Cells are strings in the server's text format, or null.

export interface Column { name: string; type: string; oid: number }
export type Cell = string | null

export interface Me {
  id: string
  kind: 'person' | 'service'
  login: string
  name: string
  email: string
  teams: string[]
  roles: Record<string, string>
  scopes: string[]
  admin: boolean
  targets: Target[]
  actor: null | { id: string; login: string }
}

export interface Target { name: string; title: string; dialect: string; database: string; role: string }

export interface SessionInfo {
  signed_in: boolean
  methods: { password: boolean; oidc: null | { name: string }; header: boolean }
  external_url: string
}

export interface Position { offset: number; line: number; column: number }

export interface RunError {
  code: string
  sqlstate: string | null
  message: string
  detail: string | null
  hint: string | null
  position: Position | null
  statement: number | null
  retriable: boolean
}

export interface Notice { severity: string; message: string; detail: string | null; hint: string | null }

export interface Truncated { by: 'max_rows' | 'max_bytes' | 'stored_bytes'; limit: number }

export interface StatementResult {
  row_count: number
  bytes: number
  columns: Column[]
  command_tag: string
  truncated: null | Truncated
  formats: string[]
}

export interface RunStatement {
  index: number
  kind: string
  range: [number, number]
  state: 'pending' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'skipped'
  result: StatementResult | null
  error: RunError | null
  notices: Notice[]
}

export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled'

export interface Wait {
  reason: 'slot' | 'rule' | 'lock' | 'starting'
  position: number | null
  ahead: number | null
  class: string
  detail: string
  eta_ms: number | null
}

export interface Progress { rows: number; bytes: number; elapsed_ms: number; phase: string }

export interface Param { name: string; type: string; value: unknown }

export interface Run {
  id: string
  url: string
  state: RunState
  target: string
  access: 'read_only' | 'read_write'
  multi: boolean
  via: string
  title: string
  urgency: string
  keep: boolean
  tags: Record<string, string>
  submitter: { id: string; kind: string; login: string; name: string; on_behalf_of: string | null }
  sql: string | null
  params: Param[]
  query: null | { id: string; version: number; title: string }
  limits: { max_rows: number; max_bytes: number; run_timeout_ms: number; queue_timeout_ms: number }
  times: { submitted: string; started: string | null; finished: string | null }
  elapsed_ms: number
  queue_ms: number
  wait: Wait | null
  progress: Progress | null
  statements: RunStatement[]
  error: RunError | null
  cancel: null | { by: string; reason: string; at: string }
  open_transaction: boolean
  pinned: boolean
  deleted: boolean
  expires_at: string | null
  rows_expired: boolean
  viewers_only: string | null
  can: { cancel: boolean; delete: boolean; pin: boolean; share: boolean; rows: boolean; sql: boolean }
  version: number
}

export interface List<T> { items: T[]; next: string | null }

export interface RowsPage {
  run: string
  statement: number
  offset: number
  count: number
  row_count: number
  filtered_count: number | null
  columns: Column[]
  rows: Cell[][]
  truncated: null | Truncated
  next: string | null
}

export type FilterOp = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'contains' | 'isnull' | 'notnull'
export interface Filter { col: string; op: FilterOp; value?: string }

export interface ChartY { col: string; agg: 'sum' | 'avg' | 'min' | 'max' | 'count' | 'none' }
export type ChartType = 'line' | 'bar' | 'hbar' | 'area' | 'scatter' | 'pie' | 'number'
export interface ChartSpec {
  v: 1
  type: ChartType
  x: string
  y: ChartY[]
  series?: string
  stack?: boolean
  sort?: 'x' | 'y' | 'none'
  nulls?: 'gap' | 'zero'
  log?: boolean
  format?: { y?: 'plain' | 'compact' | 'percent' }
  limit_series?: number
}

export interface Aggregate {
  columns: { name: string; type: string }[]
  rows: Cell[][]
  from_rows: number
  of_rows: number
  truncated: null | Truncated
  series_cut: boolean
}

export interface QueryParam { name: string; type: string; default: string | string[] | null; choices?: string[] }

export interface Query {
  id: string
  title: string
  description: string
  sql: string
  params: QueryParam[]
  chart: ChartSpec | null
  tags: string[]
  team: string | null
  draft: boolean
  target: string
  owner: { id: string; login: string; name: string }
  version: number
  rev: number
  starred: boolean
  working: null | { sql: string; params: QueryParam[]; chart: ChartSpec | null; at: string }
  last_run: null | { id: string; state: RunState; at: string }
  runs_30d: number
  released: { service: string; version: number; by: string; at: string }[]
  created: string
  updated: string
  can: { edit: boolean; delete: boolean; run: boolean }
}

export interface QueryVersion {
  version: number
  sql: string
  params: QueryParam[]
  chart: ChartSpec | null
  by: string | { login: string; name: string }
  at: string
  title: string
}

export interface ExplainedStatement {
  index: number
  range: [number, number]
  kind: string
  verbs: string[]
  reads: string[]
  writes: string[]
  functions: string[]
  unknown: boolean
  verdict: string
  class: string
  rules: string[]
  limits: Record<string, string>
  message: string
}

export interface Explanation {
  statements: ExplainedStatement[]
  plan: null | { text?: string; error?: RunError | null }
  params: { name: string; type: string | null }[]
}

export interface Completions {
  schemas: { name: string; tables: { name: string; kind: string; columns: [string, string][] }[] }[]
  search_path: string[]
  functions: string[]
  version: string | number
}

export interface TableInfo {
  schema: string
  name: string
  kind: string
  comment: string | null
  rows: number | null
  bytes?: number | null
  columns?: { name: string; type: string; nullable: boolean; comment: string | null; position: number }[]
}

export interface ConnectInfo { host: string; port: number; database: string; sslmode: string; login: string; web_url: string }
export interface SeenLogin { tool: string; addr: string; at: string; name: string }

export interface Token {
  id: string
  name: string
  scopes: string[]
  queries: { id: string; version: number }[]
  created?: string | null
  expires_at?: string | null
  last_used?: string | null
  service?: string | null
}

export interface DbPassword {
  id: string
  tool: string
  login?: string
  created?: string | null
  expires_at?: string | null
  last_used?: string | null
}

export interface Person {
  id: string
  login: string
  name: string
  email: string
  teams: string[]
  disabled: boolean
  admin?: boolean
  last_seen?: string | null
}
export interface Team { id: string; name: string; members?: (string | { login: string })[]; source?: string }
export interface Service { id: string; name: string; team: string | null; description: string }
export interface Grant {
  id: string
  principal: string | { id: string; name?: string; login?: string; kind?: string }
  target: string
  role: string
  warehouse_login?: string | null
}
export interface Viewer { id: string; login: string; name: string; by: string; at: string }

export interface ProblemBody {
  type?: string
  title: string
  status: number
  detail?: string
  code: string
  request_id?: string
  retry_after_ms?: number
  errors?: { pointer: string; message: string }[]
  [extra: string]: unknown
}
