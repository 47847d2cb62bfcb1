import { t } from '../strings'

/** Why somebody is here, as the address says it: put out, or refused at the identity provider. */
export function reason(search: string): { text: string; refused: boolean } | null {
  const params = new URLSearchParams(search)
  const problem = params.get('problem')
  if (problem) {
    const text = Object.hasOwn(t.signin.problems, problem) ? t.signin.problems[problem as keyof typeof t.signin.problems] : t.signin.problem
    const request = /^[0-9A-Za-z_-]{1,40}$/.exec(params.get('request') ?? '')?.[0]
    return { text: request ? `${text} ${t.signin.request(request)}` : text, refused: true }
  }
  const ended = params.get('ended')
  if (!ended) return null
  return { text: Object.hasOwn(t.signin.ended, ended) ? t.signin.ended[ended as keyof typeof t.signin.ended] : t.signin.ended['signed-out'], refused: false }
}
