// What the real office refuses before it looks closer, by its own document: a
// parameter or a member that it does not know. Without this the mock takes what
// the page sends by mistake, and the mistake shows only later.
import { readFileSync } from 'node:fs'

const document = JSON.parse(readFileSync(new URL('../../../api/openapi.json', import.meta.url), 'utf8'))
const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, op]) => ({
  method: method.toUpperCase(), op, pattern: new RegExp('^' + path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+') + '$'), places: path.split('{').length,
})))
// The path with the fewest names in it is meant.
operations.sort((a, b) => a.places - b.places)

/** What is wrong with a request, or null. */
export function breach(method, path, query, body) {
  const found = operations.find((o) => o.method === method && o.pattern.test(path))
  if (!found) return `${method} ${path} is no operation of the API`
  const known = (found.op.parameters ?? []).filter((p) => p.in === 'query').map((p) => p.name)
  for (const [name, value] of query) {
    if (!known.includes(name)) return `${method} ${path} has no parameter ${name}; known are ${known.join(', ')}`
    const schema = found.op.parameters.find((p) => p.name === name).schema
    if (schema.type === 'boolean' && !['true', 'false'].includes(value)) return `${name}=${value} is no boolean`
    if (schema.enum && !schema.enum.includes(value)) return `${name}=${value} is none of ${schema.enum.join(', ')}`
  }
  const schema = found.op.requestBody?.content?.['application/json']?.schema
  return schema && body !== undefined ? member(schema, body, '') : null
}

function member(schema, value, at) {
  if (schema.$ref) schema = document.components.schemas[schema.$ref.split('/').pop()]
  if (value === null || schema === undefined) return null
  if (Array.isArray(value)) return schema.items ? value.map((v, i) => member(schema.items, v, `${at}/${i}`)).find(Boolean) ?? null : null
  if (typeof value !== 'object' || !schema.properties) return null
  for (const [name, v] of Object.entries(value)) {
    if (v === undefined) continue
    if (!(name in schema.properties)) return schema.additionalProperties === false ? `${at}/${name} is no member; known are ${Object.keys(schema.properties).join(', ')}` : null
    const wrong = member(schema.properties[name], v, `${at}/${name}`)
    if (wrong) return wrong
  }
  return (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}/${name} is missing`)[0] ?? null
}
