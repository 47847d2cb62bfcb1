import { expect, it } from 'vitest'
import { stringFor, tools } from './connect-strings'
import { reason } from './signin-reason'

const info = { host: 'lk.example.com', port: 5432, database: 'my data', sslmode: 'verify-full', login: 'ana@example.com', web_url: 'https://lk.example.com/' }

it('gives every tool a string, none with a place for the password in it', () => {
  for (const tool of tools) {
    const text = stringFor(tool.id, info)
    expect(text).toContain('lk.example.com')
    expect(text).not.toMatch(/password=[^g\s]|pwd=/i)
  }
})

it('writes names as an address needs them', () => {
  expect(stringFor('psql', info)).toBe('psql "postgresql://ana%40example.com@lk.example.com:5432/my%20data?sslmode=verify-full"')
})

it('says why somebody has to sign in, in words of its own only', () => {
  expect(reason('')).toBeNull()
  expect(reason('?problem=group-missing&request=01J8')).toEqual({ text: expect.stringMatching(/not in the group.*\(Request 01J8\)$/), refused: true })
  expect(reason('?ended=disabled')).toEqual({ text: expect.stringContaining('disabled your account'), refused: false })
  for (const odd of ['?problem=toString', '?problem=%3Cb%3E&request=%3Cb%3E', '?ended=constructor', '?ended=%3Cb%3E']) {
    const why = reason(odd)
    expect(why?.text.length).toBeGreaterThan(20)
    expect(why?.text).not.toMatch(/[<>]|function/)
  }
})
