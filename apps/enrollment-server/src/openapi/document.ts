import { type ProblemCode, problemKinds } from '../problem/codes.ts'
import { type OperationNote, operations, parameterExample } from './operations.ts'

/** The parts of a document of OpenAPI 3.1 that are looked at here. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  tags?: { name: string; description: string }[]
}

/** The parts of one of its operations. */
export interface OpenApiOperation {
  operationId?: string
  tags?: string[]
  requestBody?: { content: Record<string, Media>; required?: boolean }
  responses: Record<string, { description: string; content?: Record<string, Media>; headers?: object }>
  parameters?: { name: string; in: string; schema: Schema; required?: boolean; description?: string }[]
}

interface Media {
  schema?: Schema
  examples?: Record<string, { summary?: string; value: unknown }>
}

type Schema = Record<string, unknown> & { examples?: unknown[] }

const problemType = 'application/problem+json'

/** Codes with which every request can be refused. */
const common: readonly ProblemCode[] = [
  'certificate-required',
  'certificate-refused',
  'certificate-inactive',
  'device-inactive',
  'request-malformed',
  'request-timeout',
  'header-too-large',
  'body-too-large',
  'content-type-unsupported',
  'rate-limited',
  'registry-unavailable',
  'internal',
]

/**
 * Completes the document that the routes have made: names for generated clients, an example for every body, answer and parameter,
 * and for every code a problem that says what to do.
 */
export function finishDocument<Document extends OpenApiDocument>(document: Document): Document {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const note = operations[`${method.toUpperCase()} ${path}`]
      operation.tags = [path.split('/')[2] ?? '']
      addProblems(operation)
      if (method === 'get') showTag(operation)
      for (const parameter of operation.parameters ?? []) {
        const example = parameterExample(path, parameter.name)
        if (example !== undefined) parameter.schema.examples = [example]
      }
      if (note) annotate(operation, note)
    }
  }
  document.tags = [
    { name: 'enrollments', description: 'For devices; EST offers the same in the standard protocol' },
    { name: 'ca', description: 'Roots and issuing CAs' },
    { name: 'devices', description: 'The inventory' },
    { name: 'claims', description: 'Certificates for production batches' },
    { name: 'approvals', description: 'Devices that ask without a credential' },
    { name: 'certificates', description: 'What was issued' },
    { name: 'events', description: 'What happens to certificates' },
    { name: 'audit', description: 'Every decision' },
  ]
  return document
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'With the same key the same request is done once, within a day',
  schema: { type: 'string', maxLength: 255, examples: ['6f1c2b1e-0a4d-4d0e-9a55-2f6f7f0c1d3e'] },
}

const ifMatch = {
  name: 'If-Match',
  in: 'header',
  description: 'The ETag that a GET of it has shown: nothing is done when it has changed since',
  schema: { type: 'string', examples: ['"kD3vXq0f1mZ7yB5wR2tL9s"'] },
}

function annotate(operation: OpenApiOperation, note: OperationNote): void {
  operation.operationId = note.id
  if (note.streams) operation.requestBody = { required: true, content: texts(note.streams) }
  for (const { schema } of Object.values(note.streams ? {} : (operation.requestBody?.content ?? {}))) {
    if (schema && note.body !== undefined) schema.examples = [note.body]
  }
  if (operation.responses['412']) operation.parameters = [...(operation.parameters ?? []), ifMatch]
  if (note.isOnce) operation.parameters = [...(operation.parameters ?? []), idempotencyKey]
  for (const [name, { description, example }] of Object.entries(note.query ?? {})) {
    const schema = { type: 'string', examples: [example] }
    operation.parameters = [...(operation.parameters ?? []), { name, in: 'query', description, schema }]
  }
  if (note.answers) {
    operation.responses = {
      ...operation.responses,
      200: { description: 'As it comes', content: texts(note.answers) },
    }
    return
  }
  for (const [status, { content = {} }] of Object.entries(operation.responses)) {
    if (!status.startsWith('2')) continue
    const schema = content['application/json']?.schema
    if (schema && note.answer !== undefined) schema.examples = [note.answer]
  }
}

function texts(byType: Readonly<Record<string, string>>): Record<string, Media> {
  return Object.fromEntries(
    Object.entries(byType).map(([type, example]) => [
      type,
      { schema: { type: 'string', examples: [example] } },
    ]),
  )
}

/** What is read as JSON has an entity tag. */
function showTag({ responses }: OpenApiOperation): void {
  const { '200': read } = responses
  if (read?.content?.['application/json'] === undefined) return
  const description = 'For If-None-Match, and for If-Match of a change'
  read.headers = { ETag: { description, schema: { type: 'string' }, example: ifMatch.schema.examples[0] } }
}

/** The codes stand in the description of their status; every other code can come with every request. */
function addProblems({ responses }: OpenApiOperation): void {
  let schema: Schema = { type: 'object' }
  for (const response of Object.values(responses)) {
    const media = response.content?.[problemType]
    if (!media) continue
    media.examples = examplesOf(response.description.split(', ') as ProblemCode[])
    schema = media.schema ?? schema
    schema.examples = [problemOf(response.description.split(', ')[0] as ProblemCode)]
  }
  const { examples: _, ...bare } = schema
  responses['default'] = {
    description: 'Any other refusal',
    content: {
      [problemType]: { schema: { ...bare, examples: [problemOf('internal')] }, examples: examplesOf(common) },
    },
  }
}

function examplesOf(codes: readonly ProblemCode[]): NonNullable<Media['examples']> {
  return Object.fromEntries(
    codes.map((code) => [code, { summary: problemKinds[code].title, value: problemOf(code) }]),
  )
}

function problemOf(code: ProblemCode): object {
  const { status, title, fix } = problemKinds[code]
  return { type: `urn:fleetroot:problem:${code}`, title, status, detail: fix, code }
}
