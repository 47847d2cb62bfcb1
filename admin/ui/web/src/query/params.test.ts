import { describe, expect, it } from 'vitest'
import { choicesOf, freshParam, lacks, paramOf, savedParam, valuesOf, valuesOfRun, withChoices } from './params'

const base = freshParam('channel')

describe('parameters', () => {
  it('sends a list for an array, and null for NULL', () => {
    expect(paramOf('ids', { ...base, type: 'int8[]', text: '1, 2,,3 ' })).toEqual({ name: 'ids', type: 'int8[]', value: ['1', '2', '3'] })
    expect(paramOf('x', { ...base, isNull: true, text: 'a' })).toEqual({ name: 'x', type: 'text', value: null })
  })

  it('keeps the value of a draft as its default, and of a saved query what was set', () => {
    const v = { ...base, text: 'mail', preset: 'search' }
    expect(savedParam('channel', v, true).default).toBe('mail')
    expect(savedParam('channel', v, false).default).toBe('search')
    expect(savedParam('channel', { ...base, text: '' }, true).default).toBeNull()
    expect(savedParam('since', { ...base, isNull: true, text: '2026-01-01' }, true).default).toBeNull()
  })

  it('declares the default of an array as a list, as the office takes it', () => {
    expect(savedParam('ids', { ...base, type: 'int8[]', text: '1,2' }, true).default).toEqual(['1', '2'])
    expect(savedParam('ids', { ...base, type: 'int8[]', text: '' }, true).default).toBeNull()
  })

  it('declares no default that is none of the choices', () => {
    expect(savedParam('channel', { ...base, choices: ['mail'], text: 'search' }, true)).toEqual({ name: 'channel', type: 'text', default: null, choices: ['mail'] })
    expect(savedParam('ids', { ...base, type: 'int8[]', choices: ['1', '2'], text: '1,3' }, true).default).toBeNull()
  })

  it('reads what a query declares, numbers and lists too', () => {
    const v = valuesOf([
      { name: 'n', type: 'int8', default: 7 as unknown as string, choices: [7, 8] as unknown as string[] },
      { name: 'ids', type: 'int8[]', default: ['1', '2'] },
      { name: 'channel', type: 'text', default: null, choices: ['mail', 'search'] },
    ])
    expect(v['n']).toMatchObject({ text: '7', preset: '7', choices: ['7', '8'] })
    expect(v['ids']).toMatchObject({ text: '1, 2' })
    expect(v['channel']).toMatchObject({ text: 'mail', preset: null })
  })

  it('comes back as it went', () => {
    const saved = [{ name: 'ids', type: 'int8[]', default: ['1', '2'], choices: ['1', '2', '3'] }, { name: 'since', type: 'date', default: '2026-08-01' }]
    const v = valuesOf(saved)
    expect(saved.map((p) => savedParam(p.name, v[p.name]!, false))).toEqual(saved)
    expect(saved.map((p) => savedParam(p.name, v[p.name]!, true))).toEqual(saved)
  })

  it('takes the values of a run', () => {
    expect(valuesOfRun([{ name: 'channel', type: 'text', value: null }, { name: 'ids', type: 'int8[]', value: ['4'] }], { channel: { ...base, choices: ['a'] } })).toMatchObject({ channel: { isNull: true, choices: ['a'] }, ids: { type: 'int8[]', text: '4' } })
  })

  it('lacks a value only where an empty field is none', () => {
    expect(lacks({ ...base, type: 'date' })).toBe(true)
    expect(lacks({ ...base, type: 'int8', text: ' ' })).toBe(true)
    expect(lacks({ ...base, type: 'date', isNull: true })).toBe(false)
    expect(lacks(base)).toBe(false) // empty text is a text
    expect(lacks({ ...base, type: 'int8[]' })).toBe(false) // and no elements are a list
  })

  it('lets nothing stay that new choices forbid', () => {
    expect(choicesOf(' mail \n\nsearch\nmail')).toEqual(['mail', 'search'])
    expect(withChoices({ ...base, text: 'x', preset: 'y' }, ['mail', 'search'])).toMatchObject({ text: 'mail', preset: null })
    expect(withChoices({ ...base, text: 'search', preset: 'search' }, ['mail', 'search'])).toMatchObject({ text: 'search', preset: 'search' })
    expect(withChoices({ ...base, text: 'x' }, [])).toMatchObject({ text: 'x', choices: [] })
  })
})
