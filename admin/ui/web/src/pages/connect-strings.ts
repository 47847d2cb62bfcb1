import type { ConnectInfo } from '../api/types'

export interface Tool { id: string; name: string; api?: boolean }

export const tools: Tool[] = [
  { id: 'psql', name: 'psql' }, { id: 'dbeaver', name: 'DBeaver' }, { id: 'datagrip', name: 'DataGrip' }, { id: 'tableau', name: 'Tableau' }, { id: 'python', name: 'Python' },
  { id: 'r', name: 'R' }, { id: 'jdbc', name: 'JDBC' }, { id: 'odbc', name: 'ODBC' }, { id: 'curl', name: 'curl', api: true },
]

const e = encodeURIComponent

/** What to paste into a tool. The password is never in it: a pasted line ends in histories and files. */
export function stringFor(tool: string, c: ConnectInfo): string {
  const url = `postgresql://${e(c.login)}@${c.host}:${c.port}/${e(c.database)}?sslmode=${c.sslmode}`
  const jdbc = `jdbc:postgresql://${c.host}:${c.port}/${e(c.database)}?user=${e(c.login)}&sslmode=${c.sslmode}`
  switch (tool) {
    case 'psql': return `psql "${url}"`
    case 'dbeaver':
    case 'datagrip':
    case 'jdbc': return jdbc
    case 'tableau': return `Server    ${c.host}\nPort      ${c.port}\nDatabase  ${c.database}\nUsername  ${c.login}\nSSL       ${c.sslmode === 'disable' ? 'off' : 'required'}`
    case 'python': return `import getpass, psycopg\n\nwith psycopg.connect("${url}", password=getpass.getpass()) as db:\n    print(db.execute("select current_user").fetchone())`
    case 'r': return `library(DBI)\ncon <- dbConnect(RPostgres::Postgres(), host = "${c.host}", port = ${c.port},\n  dbname = "${c.database}", user = "${c.login}", sslmode = "${c.sslmode}",\n  password = rstudioapi::askForPassword())`
    case 'odbc': return `Driver={PostgreSQL Unicode};Server=${c.host};Port=${c.port};Database=${c.database};Uid=${c.login};SSLmode=${c.sslmode};`
    default: return `curl -fsS -H "Authorization: Bearer $LOCKKEEPER_TOKEN" \\\n  -H "Content-Type: application/sql" \\\n  --data-binary "select 1" \\\n  "${c.web_url.replace(/\/$/, '')}/api/v1/query?format=csv"`
  }
}
