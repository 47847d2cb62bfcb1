import type { Dialect } from '../sql/lexer'

/** The text laid out, by a library that is loaded when first asked for. */
export async function formatSql(text: string, dialect: Dialect): Promise<string> {
  const lib = await import('sql-formatter')
  return lib.formatDialect(text, {
    dialect: dialect === 'redshift' ? lib.redshift : lib.postgresql, keywordCase: 'lower', tabWidth: 2, linesBetweenQueries: 1,
    paramTypes: { named: [':'] },
  })
}
