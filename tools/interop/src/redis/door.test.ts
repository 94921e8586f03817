import { readdirSync, readFileSync } from 'node:fs'
import { startApp, temporaryFolder } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'
import { password, type SecuredRedis, startSecuredRedis, userLine } from './secured.ts'

const ready = '{"status":"ready"}'
const source = new URL('../../../../apps/broker/src/redis/', import.meta.url)

/** Commands that brokers send beside those in scripts. Each must have been seen. */
const sent = [
  'info',
  'select',
  'client|setname',
  'script|load',
  'evalsha',
  'eval',
  'xread',
  'xrevrange',
  'hscan',
  'subscribe',
  'publish',
  'ping',
]

/** Commands in the scripts, as an ACL names them: of those that are many, the one that is used. */
function scripted(): Set<string> {
  const folder = new URL('scripts/', source)
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
  texts.push(readFileSync(new URL('ticket-ring.ts', source), 'utf8'))
  const calls = texts.flatMap((text) => [...text.matchAll(/\bcall\('([A-Z]+)'(?:, '([A-Z]+)')?/g)])
  return new Set(calls.map(([, name, what]) => (name === 'MEMORY' ? `${name}|${what}` : name!).toLowerCase()))
}

judgedBy(['redis-server'], 'a Redis that wants TLS, certificates and a user', () => {
  let redis: SecuredRedis
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    redis = await startSecuredRedis()
    const env = {
      ...redis.env,
      FLEETROOT_BROKER_TICKET_SECRET: 'what both nodes know and Redis does not know',
      // Of all libraries: none may say the password, or what is kept.
      DEBUG: '*',
    }
    nodes = await startNodes(0, undefined, { args: redis.flags, env })
    const withWorkers = { args: [...redis.flags, '--workers=2'], env }
    ;[one, two] = await Promise.all([nodes.start(), nodes.start(withWorkers)])
  })
  afterAll(async () => {
    await nodes[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  test('serves brokers whose user may do what docs/operations.md says, which is what they do and nothing else', async () => {
    const will = { topic: 'devices/pump/gone', payload: Buffer.from('gone'), qos: 1 as const, retain: false }
    const reader = await nodes.client(two, 'reader', { profile: 'service', clean: false })
    await reader.subscribe('devices/#', 2)
    await reader.subscribe('fleet/presence/pump')
    const pump = await nodes.client(one, 'pump', { will })
    for (const qos of [0, 1, 2] as const) {
      await pump.publish('devices/pump/t', `live ${qos}`, { qos, retain: qos === 2 })
    }
    await reader.until(() => [0, 1, 2].every((qos) => reader.texts().includes(`live ${qos}`)))
    await reader.leave()
    await pump.publish('devices/pump/t', 'queued', { qos: 2 })
    const back = await nodes.client(one, 'reader', { profile: 'service', clean: false })
    await back.until(() => back.texts().includes('queued'))
    const moved = await nodes.client(two, 'pump', { will })
    await pump.closed
    await two.app.stop('SIGKILL')
    await moved.closed
    await back.until(() => back.texts().includes('gone'))
    await back.until(() => back.texts('fleet/presence/pump').at(-1)?.includes('"online":false') === true)
    await (await nodes.client(one, 'reader', { profile: 'service' })).leave()
    two = await nodes.start()

    expect(await redis.server.ask('ACL', 'LOG')).toBe('*0\r\n')
    const stats = await redis.server.ask('INFO', 'commandstats')
    const seen = new Set([...stats.matchAll(/^cmdstat_(\S+?):/gm)].map(([, name]) => name!))
    expect(sent.filter((command) => !seen.has(command))).toEqual([])
    const allowed = [...userLine().matchAll(/ \+(\S+)/g)].map(([, command]) => command!)
    expect(allowed.toSorted()).toEqual([...new Set([...sent, ...scripted()])].toSorted())
    for (const { app } of nodes.all) {
      expect(app.output()).not.toContain(password)
      expect(app.output()).not.toMatch(/mqtt-packet|ioredis/)
    }
  })

  test('is found again by brokers that run, when it and they have certificates of another CA', async () => {
    const device = await nodes.client(one, 'faithful')
    await device.publish('devices/faithful/t', 'kept', { retain: true })
    await redis.renewAll()
    await redis.server.kill()
    await device.closed
    await redis.server.start()
    for (const node of [one, two]) {
      await until(
        async () => (await node.operations('/readyz')) === ready,
        () => node.app.output(),
      )
    }
    const reader = await nodes.client(two, 'later', { profile: 'service' })
    await reader.subscribe('devices/faithful/t')
    await reader.until(() => reader.messages.length === 1)
    expect(reader.texts()).toEqual(['kept'])
    await reader.leave()
  })

  test('is refused, or refuses, with the setting that is wrong, and nobody says the password', async () => {
    const { url, otherUrl, files, flags, env } = redis
    const ca = `--redis-ca=${files.ca}`
    const own = [`--redis-cert=${files.cert}`, `--redis-key=${files.key}`]
    const wrong = { FLEETROOT_BROKER_REDIS_PASSWORD: `${password}!` }
    const cases: [string[], RegExp, Record<string, string>?][] = [
      [
        [`--redis=${url}`, `--redis-ca=${files.stranger}`, ...own],
        /localhost's certificate does not lead to a CA that is trusted here .*; see --redis-ca/,
      ],
      // Those of the system do not vouch for it either.
      [[`--redis=${url}`, ...own], /does not lead to a CA that is trusted here .*; see --redis-ca/],
      [
        [`--redis=${otherUrl}`, ca, ...own],
        /127\.0\.0\.1's certificate is for other names: .*; see --redis;/,
      ],
      [[`--redis=${url}`, ca], /see --redis-cert and --redis-key/],
      [
        flags as string[],
        /refuses the user or the password \(--redis, FLEETROOT_BROKER_REDIS_PASSWORD\)/,
        wrong,
      ],
      [[`--redis=${url.replace('rediss:', 'redis:')}`], /see --redis: does it want rediss:\/\/\?/],
    ]
    await Promise.all(
      cases.map(async ([args, sentence, more = env]) => {
        using folder = temporaryFolder()
        const app = startApp('broker', args, {
          FLEETROOT_DATA: folder.path,
          FLEETROOT_LOG_LEVEL: 'debug',
          ...more,
        })
        try {
          await app.waitFor(
            new RegExp(`no connection to Redis at rediss?://fleetroot@\\S+: .*${sentence.source}`),
          )
          expect(app.output()).not.toContain(password)
        } finally {
          await app.stop('SIGKILL')
        }
      }),
    )
  })
})
