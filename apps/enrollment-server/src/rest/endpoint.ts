import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { z } from 'zod'
import type { Access } from '../http/access.ts'
import type { Operation } from '../http/resource.ts'
import { problemKinds, type ProblemCode } from '../problem/codes.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { checkMatch, entityTag, isKnown, refuseMatch } from './entity-tag.ts'
import { fieldComplaint } from './complaint.ts'
import { csrReport } from './csr-report.ts'

/** What a handler gets: the parts of the request, parsed by their schemas. */
interface Parsed<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** One method of a REST resource: its schemas are its validation and its part of the OpenAPI document. */
export interface Endpoint<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> {
  readonly access: Access
  /** The sentence beside the method in the OpenAPI document. */
  readonly summary: string
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  /** Where a body may be larger than that of other routes. */
  readonly bodyLimitBytes?: number
  readonly answer: { readonly status: 200 | 201; readonly schema: Answer }
  /** It changes what has an entity tag, and compares If-Match with that. */
  readonly isConditional?: true
  /** The codes that this endpoint answers with, besides those that every endpoint may give. */
  readonly refusals?: readonly ProblemCode[]
  readonly handle: (
    parsed: Parsed<z.output<Params>, z.output<Query>, z.output<Body>>,
  ) => z.input<Answer> | Promise<z.input<Answer>>
}

/**
 * Makes an {@link Operation} of an endpoint. A request is parsed once, by zod; an answer is typed and is not
 * checked again at run time. Refuses with `field-invalid`, naming every field that is wrong.
 */
export function endpoint<
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodType,
>(options: Endpoint<Params, Query, Body, Answer>): Operation {
  const { access, params, query, body, answer, handle } = options
  return {
    access,
    ...(options.bodyLimitBytes !== undefined && { bodyLimitBytes: options.bodyLimitBytes }),
    schema: openApiSchema(options),
    handler: async (request, reply) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const expected = request.headers['if-match']
      if (!isRead && !options.isConditional) refuseMatch(expected)
      const value = await handle({
        params: parse(params, request.params, 'path') as z.output<Params>,
        query: parse(query, request.query, 'query') as z.output<Query>,
        body: parseBody(body, request.body) as z.output<Body>,
        request,
        reply,
      })
      const text = JSON.stringify(value)
      if (isRead) {
        const tag = entityTag(text)
        checkMatch(expected, tag)
        // What depends on who asks is kept by nobody in between, and asked for again by whoever keeps it.
        if (access !== 'public') reply.header('cache-control', 'private, no-cache')
        reply.header('etag', tag)
        if (isKnown(request.headers['if-none-match'], tag)) return reply.code(304).send()
      }
      reply.code(answer.status).type('application/json')
      return reply.send(text)
    },
  }
}

/** Readies an instance for endpoints: fastify neither validates nor serialises, the endpoint does both. */
export function useEndpoints(app: FastifyInstance): void {
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
}

function parseBody(schema: z.ZodType | undefined, value: unknown): unknown {
  // A schema that has a default says what no body means.
  if (schema && value === undefined && !schema.safeParse(undefined).success) {
    throw new RequestRefused({ code: 'body-missing', detail: 'body: send a JSON object' })
  }
  return parse(schema, value, 'body')
}

function parse(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (!schema) return undefined
  const parsed = schema.safeParse(value, { error: fieldComplaint })
  if (parsed.success) return parsed.data
  const detail = parsed.error.issues.map((issue) => `${[where, ...issue.path].join('.')}: ${issue.message}`)
  throw new RequestRefused({ code: 'field-invalid', detail: detail.slice(0, 5).join('; ') })
}

const problem = z
  .object({
    type: z.string().meta({ description: '`urn:fleetroot:problem:` and the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'names the field and the fix' }),
    code: z.string().meta({ description: 'stable; docs/enrollment.md lists all of them' }),
    instance: z.string().optional(),
    csr: csrReport.optional(),
  })
  .meta({ description: 'RFC 9457 problem' })

function openApiSchema(options: {
  summary: string
  access: Access
  params?: z.ZodType
  query?: z.ZodType
  body?: z.ZodType
  answer: { status: number; schema: z.ZodType }
  isConditional?: true
  refusals?: readonly ProblemCode[]
}): FastifySchema {
  const { summary, access, params, query, body, answer, refusals = [] } = options
  const statuses = new Map<number, string[]>()
  for (const code of [...refusals, ...(options.isConditional ? (['precondition-failed'] as const) : [])]) {
    const { status } = problemKinds[code]
    statuses.set(status, [...(statuses.get(status) ?? []), code])
  }
  const problems = [...statuses].map(([status, codes]) => [
    status,
    {
      description: codes.join(', '),
      content: { 'application/problem+json': { schema: jsonSchema(problem, 'output') } },
    },
  ])
  return {
    summary,
    security: securityOf[access],
    ...(params && { params: jsonSchema(params, 'input') }),
    ...(query && { querystring: jsonSchema(query, 'input') }),
    ...(body && { body: jsonSchema(body, 'input') }),
    response: {
      [answer.status]: {
        description: answer.schema.description ?? summary,
        content: { 'application/json': { schema: jsonSchema(answer.schema, 'output') } },
      },
      ...Object.fromEntries(problems),
    },
  } as FastifySchema
}

/** OpenAPI 3.1 schemas are JSON Schema 2020-12; `$schema` is said once, by the document. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  })
  return rest
}

/** How the OpenAPI document names what each access needs. */
export const securityOf: Readonly<Record<Access, readonly object[]>> = {
  public: [],
  'basic-token': [{ basicToken: [] }, { claimCertificate: [] }],
  'bearer-token': [{ token: [] }, { claimCertificate: [] }],
  renewal: [{ certificate: [] }],
  service: [{ serviceCertificate: [] }],
  operator: [{ operatorCertificate: [] }],
  broker: [{ brokerCertificate: [] }],
}
