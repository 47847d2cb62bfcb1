// Holds what the page takes the answers of the API for against the document that
// the server is made from: a member that is missing there, or of another type,
// fails the type check. Nothing of this is in the page.
import type { components } from './schema'
import type * as page from './types'

/** What the document says nothing of, as values and charts, may be anything. */
type Open<T> = unknown extends T ? never
  : T extends (infer U)[] ? Open<U>[]
    : T extends object ? { [K in keyof T]: Open<T[K]> } : T

type Server = { [K in keyof components['schemas']]: Open<components['schemas'][K]> }

/** A type with its literals as what the document can say of them. */
type Wide<T> = T extends string ? string
  : T extends number ? number
    : T extends boolean ? boolean
      : T extends (infer U)[] ? Wide<U>[]
        : T extends object ? { [K in keyof T]: Wide<T[K]> } : T

/** What the server answers has all that the page reads of it. */
type Holds<Page, Answer extends Wide<Page>> = [Page, Answer]

export type Contract = [
  Holds<page.Me, Server['Me']>,
  Holds<page.Target, Server['Target']>,
  Holds<page.SessionInfo, Server['SessionInfo']>,
  Holds<page.RunError, Server['RunError']>,
  Holds<page.Run, Server['Run']>,
  Holds<page.List<page.Run>, Server['Runs']>,
  Holds<page.RowsPage, Server['Rows']>,
  Holds<page.Aggregate, Server['Aggregate']>,
  Holds<page.Query, Server['Saved']>,
  Holds<page.List<page.Query>, Server['ItemsSaved']>,
  Holds<page.QueryVersion, Server['Version']>,
  Holds<page.Explanation, Server['Explanation']>,
  Holds<page.Completions, Server['Completions']>,
  Holds<page.TableInfo, Server['TableDetail']>,
  Holds<page.ConnectInfo, Server['Connect']>,
  Holds<page.Token, Server['Token']>,
  Holds<page.DbPassword, Server['DbPassword']>,
  Holds<page.Person, Server['Person']>,
  Holds<page.Team, Server['Team']>,
  Holds<page.Service, Server['Service']>,
  Holds<page.Grant, Server['Grant']>,
  Holds<page.Viewer, Server['Viewer']>,
  Holds<page.ProblemBody, Server['Problem']>,
]
