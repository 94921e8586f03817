import { collectGarbage, fuzzing } from '@fleetroot/pki/testing'
import { expect, it } from 'vitest'
import { operations } from '../openapi/operations.ts'
import { problemKinds } from '../problem/codes.ts'
import { enrolledDevice } from '../testing/enroll.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed } from '../testing/testbed.ts'

const { seconds, seed, random } = fuzzing(4)

const oneOf = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T

const words = [
  '',
  'pump-7',
  '.',
  '..',
  '__proto__',
  'constructor',
  'line-1',
  'é',
  '\u0000',
  '\ud800',
  '%00',
  '=1+1',
  '"',
  ',',
  '\n',
  '1e999',
  '-1',
  'ab'.repeat(40),
]
const name = (): string => oneOf([...words, 'id', 'labels', 'csr', 'serials', 'reason', 'quota'])

/** Any JSON value. */
function anything(depth = 4): unknown {
  if (depth === 0) return oneOf([null, true, 0, -1, 1e308, 2 ** 53, ...words])
  return oneOf([
    () => anything(0),
    () => Array.from({ length: random(5) }, () => anything(depth - 1)),
    () => Object.fromEntries(Array.from({ length: random(5) }, () => [name(), anything(depth - 1)])),
    () => Array.from({ length: random(2000) }, () => oneOf(words.slice(0, 12))),
    () => '€'.repeat(random(70_000)),
  ])()
}

/** The example of an operation, with something in it replaced, left out or added. */
function mutated(value: unknown): unknown {
  if (random(6) === 0) return anything()
  if (Array.isArray(value)) return [...value.map(mutated), ...(random(3) ? [] : [anything()])]
  if (typeof value === 'string' && random(4) === 0) return `n-${random(1_000_000)}`
  if (typeof value !== 'object' || value === null) return random(3) ? value : anything(0)
  const kept = Object.entries(value).filter(() => random(8) > 0)
  return Object.fromEntries([
    ...kept.map(([key, inner]) => [random(12) ? key : name(), mutated(inner)]),
    ...(random(4) ? [] : [[name(), anything()]]),
  ])
}

/** Octets changed, put in, taken out or cut off. */
function damaged(input: Buffer): Buffer {
  let output = Buffer.from(input)
  for (let times = random(5); times > 0; times -= 1) {
    const at = random(output.length + 1)
    const more = Buffer.from(oneOf([oneOf(words), String.fromCharCode(random(256)), '\r\n', '""', '{', '[']))
    output = Buffer.concat([
      output.subarray(0, at),
      more,
      output.subarray(Math.min(output.length, at + random(4))),
    ])
  }
  return output
}

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
/** Words that can be written into a URL. */
const writable = words.filter((word) => word.isWellFormed() && word.length < 1000).map(encodeURIComponent)
const withId = (path: string): string =>
  path.replaceAll(/\{\w+\}/g, () => oneOf(['pump-7', 'devices', 'ab12', 'f'.repeat(64), ...writable]))
const query = (): string => {
  const names = ['limit', 'cursor', 'state', 'after', 'dryRun', 'deviceId', '__proto__', 'x']
  return random(2) ? '' : `?${oneOf(names)}=${oneOf(['1', 'true', ...writable])}`
}

/** A request for an operation, more or less as it should be. */
function someRequest(operation: string) {
  const [method = '', path = ''] = operation.split(' ')
  const note = operations[operation]
  const streams = Object.entries(note?.streams ?? {})
  // About another device each time: about one that is there already, most is refused.
  const example: unknown = JSON.parse(
    JSON.stringify(note?.body ?? {}).replaceAll('"pump-7"', `"n-${random(1_000_000)}"`),
  )
  const [type, text] =
    streams.length > 0
      ? oneOf(streams)
      : ['application/json', JSON.stringify(random(3) ? mutated(example) : example) ?? '']
  const body = oneOf([
    () => Buffer.from(text),
    () => Buffer.from(text),
    () => damaged(Buffer.from(text)),
    () => Buffer.from(deep(random(20_000))),
    () => Buffer.from(`{"a":1e${random(500)},"__proto__":{"x":1}}`),
  ])()
  const headers: Record<string, string> = {
    'content-type': random(12)
      ? type
      : oneOf(['text/plain', 'application/json; charset=utf-16', 'text/csv', '/', 'application/x-ndjson']),
    ...(random(3) ? {} : { 'idempotency-key': oneOf(['a', 'b', '"', 'x'.repeat(300)]) }),
    ...(random(4) ? {} : { 'if-none-match': oneOf(['*', '"', 'W/', ',,,', '"x"']) }),
    ...(random(8) ? {} : { 'if-match': oneOf(['*', '"', 'W/', ',,,', '"x"', 'x'.repeat(5000)]) }),
    ...(random(4) ? {} : { authorization: oneOf(['Bearer', `Bearer ${'A'.repeat(43)}`, 'Basic !', 'x']) }),
  }
  return { method, path: withId(path) + query(), headers, ...(method === 'GET' ? {} : { body }) }
}

// The garbage of a run is no leak.
const used = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed + process.memoryUsage().external
}

it(
  `whatever is sent to REST, no answer is a failure and nothing is kept (seed ${seed}, ${seconds} s)`,
  { timeout: (seconds + 120) * 1000 },
  async () => {
    const testbed = await openTestbed()
    try {
      const { identity: broker } = await enrolledDevice(testbed, 'broker-2', { profile: 'broker' })
      // An event stream never ends, and the CAs of this server are to stay.
      const names = Object.keys(operations).filter(
        (one) => one !== 'GET /v1/events' && !/\/v1\/ca\/./.test(one),
      )
      const identities: (Identity | undefined)[] = [
        testbed.operator,
        testbed.operator,
        testbed.operator,
        broker,
        undefined,
      ]
      const end = performance.now() + seconds * 1000
      const through = [200, 201, 400]
      const statuses = new Map<number, number>()
      let baseline: number | undefined
      // However slow the machine is, there are enough of them, and some that get through.
      const isEnough = (sent: number): boolean =>
        (sent > 600 && through.every((status) => statuses.has(status))) || sent > 20_000
      for (let sent = 0; performance.now() < end || !isEnough(sent); sent += 1) {
        const { path, ...asked } = someRequest(oneOf(names))
        const identity = oneOf(identities)
        const answer = await testbed.request(path, { ...asked, ...(identity && { identity }) })
        const what = `${asked.method} ${path.slice(0, 200)}\n${asked.body?.toString('latin1').slice(0, 500)}\n${answer.body.slice(0, 500)}`
        expect(answer.status, what).toBeLessThan(500)
        if (answer.status >= 400) expect(Object.keys(problemKinds), what).toContain(answer.json['code'])
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        if (sent === 200) baseline = used()
      }
      // It got through, and not only to refusals.
      expect([...statuses.keys()]).toEqual(expect.arrayContaining(through))
      const grown = baseline === undefined ? 0 : used() - baseline
      expect(grown).toBeLessThan(64 * 1024 * 1024)
      expect((await testbed.request('/v1/ca')).status).toBe(200)
    } finally {
      await testbed.close()
    }
  },
)
