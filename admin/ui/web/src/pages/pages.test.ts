import { expect, it } from 'vitest'
import { stringFor, tools } from './connect-strings'

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
