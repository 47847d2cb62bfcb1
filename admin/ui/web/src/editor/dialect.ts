import { PostgreSQL, SQLDialect, type SQLDialectSpec } from '@codemirror/lang-sql'
import type { Dialect } from '../sql/lexer'

const spec: SQLDialectSpec = {
  ...PostgreSQL.spec,
  backslashEscapes: true,
  keywords: PostgreSQL.spec.keywords + ' distkey sortkey diststyle encode compound interleaved unload copy iam_role vacuum analyze qualify super',
  types: PostgreSQL.spec.types + ' super hllsketch varbyte',
  builtin: 'getdate sysdate dateadd datediff nvl nvl2 listagg approximate',
  specialVar: '',
}

const Redshift = SQLDialect.define(spec)

export function highlightDialect(dialect: Dialect): SQLDialect {
  return dialect === 'redshift' ? Redshift : PostgreSQL
}
