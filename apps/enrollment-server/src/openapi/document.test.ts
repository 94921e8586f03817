import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import type { OpenApiDocument, OpenApiOperation } from './document.ts'
import { operations } from './operations.ts'

let testbed: Testbed
let document: OpenApiDocument
beforeAll(async () => {
  testbed = await openTestbed()
  document = (await testbed.request('/v1/openapi.json')).json as unknown as OpenApiDocument
})
afterAll(() => testbed.close())

const ajv = new Ajv2020({ strict: false, allErrors: true })
addFormats.default(ajv)

function* allOperations(): Generator<[name: string, operation: OpenApiOperation]> {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      yield [`${method.toUpperCase()} ${path}`, operation]
    }
  }
}

/** Every schema of the document, with its examples. */
function* allSchemas(): Generator<[where: string, schema: Record<string, unknown>, examples: unknown[]]> {
  for (const [name, { requestBody, responses, parameters = [] }] of allOperations()) {
    for (const { name: parameter, schema } of parameters) {
      yield [`${name}, ${parameter}`, schema, schema.examples ?? []]
    }
    const bodies = Object.entries(requestBody?.content ?? {}).map(
      ([type, media]) => ['body', type, media] as const,
    )
    const answers = Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, media]) => [status, type, media] as const),
    )
    for (const [what, type, { schema = {}, examples = {} }] of [...bodies, ...answers]) {
      const more = Object.values(examples).map(({ value }) => value)
      yield [`${name}, ${what} ${type}`, schema, [...(schema.examples ?? []), ...more]]
    }
  }
}

describe('the OpenAPI document', () => {
  it('is one of version 3.1, as a public validator says', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(document) as unknown as Record<string, unknown>)
    expect(result.errors).toBeUndefined()
    expect([result.valid, validator.version]).toEqual([true, '3.1'])
  })

  it('has an example in every schema, and each is what its schema asks for', () => {
    const wrong: unknown[] = []
    for (const [where, schema, examples] of allSchemas()) {
      if (examples.length === 0) wrong.push(`${where}: there is none`)
      const validate = ajv.compile(schema)
      for (const example of examples) {
        if (!validate(example)) wrong.push(`${where}: ${ajv.errorsText(validate.errors)}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('names every operation once, and has a note for no other', () => {
    const named = [...allOperations()]
    expect(named.map(([name]) => name).sort(byText)).toEqual(Object.keys(operations).sort(byText))
    const ids = named.map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).not.toContain(undefined)
  })

  it('says of every refusal what to do: a problem for each code', () => {
    for (const [, { responses }] of allOperations()) {
      const examples = responses['default']?.content?.['application/problem+json']?.examples ?? {}
      expect(Object.keys(examples)).toContain('rate-limited')
    }
    const { 409: conflict } = document.paths['/v1/devices']?.['post']?.responses ?? {}
    expect(conflict?.content?.['application/problem+json']?.examples?.['device-exists']?.value).toMatchObject(
      {
        status: 409,
        code: 'device-exists',
        detail: expect.stringMatching(/choose another id/),
      },
    )
  })
})

const byText = (a: string, b: string): number => (a < b ? -1 : 1)
