import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { once } from 'node:events'
import {
  type App,
  type Dial,
  freePort,
  operator,
  type Operator,
  startApp,
  temporaryFolder,
  type RedisServer,
  startRedis,
  writeCaKeys,
} from '@fleetroot/harness'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { Client, type ClientOptions } from './client.ts'

/** A broker that shares its store with the others. */
export interface Node {
  readonly app: App
  readonly url: URL
  /** A page of its operations port. */
  operations(path: string, method?: 'GET' | 'POST'): Promise<string>
  /** Ends the sessions of an identity, if it is here. */
  disconnect(role: string, id: string): Promise<void>
}

/** An enrollment server, a Redis, and brokers that share it, each a process of its own. */
export interface Nodes extends AsyncDisposable {
  readonly redis: RedisServer
  readonly admin: Operator
  readonly root: string
  /** The data directory of the enrollment server. */
  readonly data: string
  readonly all: Node[]
  /** Starts one more. */
  start(how?: NodeStart): Promise<Node>
  /** A certificate for this id; the same one each time. */
  identity(id: string, profile?: 'device' | 'service'): Promise<KeyAndCertificate>
  /** Connects to a broker; the id of the identity is the client id as well. */
  client(
    node: Node,
    id: string,
    how?: { profile?: 'device' | 'service' } & Partial<Pick<ClientOptions, 'clean' | 'will' | 'clientId'>>,
  ): Promise<Client>
  /** Opens connections to whichever broker `node` says. */
  dial(id: string, profile: 'device' | 'service', node: () => Node): Promise<Dial>
  /** Replaces the policy file of all of them. */
  setPolicy(text: string): void
}

/** So long as a node may be silent: short, because a test waits for it, and longer than a loaded machine stands still. */
const nodeTimeout = '4s'

/** How brokers are started. */
export interface NodeStart {
  /** Flags; those that a test gives take the place of ours. */
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
}

/** Starts `count` brokers on one Redis; `await using` or the test ends all of it. */
export async function startNodes(
  count: number,
  redisArgs?: readonly string[],
  how: NodeStart = {},
): Promise<Nodes> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  writeCaKeys(data)
  const policyFile = join(folder.path, 'policy.yaml')
  const redis = await startRedis(redisArgs)
  const apps: App[] = []
  const keep = (app: App): App => {
    apps.push(app)
    return app
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(apps.map((app) => app.stop('SIGKILL')))
    await redis[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  }
  const identities = new Map<string, Promise<KeyAndCertificate>>()
  try {
    const env = { FLEETROOT_DATA: data, FLEETROOT_LOG_LEVEL: 'info' }
    const serverUrl = new URL(await keep(startApp('enrollment-server', [], env)).ready())
    const admin = operator(data, serverUrl.href)
    const root = readFileSync(join(data, 'public/root.crt'), 'utf8')
    writeFileSync(policyFile, policy)

    const enroll = async (id: string, profile: 'device' | 'service'): Promise<KeyAndCertificate> => {
      const token = await admin.token(id, { profile })
      const { privateKey } = generateKeyPair('P-256')
      const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
      const { body } = await admin.call(
        'POST',
        '/v1/enrollments',
        { csr },
        { authorization: `Bearer ${token}` },
      )
      const { certificate, chain } = body as { certificate: string; chain: string[] }
      return { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') }
    }
    const identity = (id: string, profile: 'device' | 'service' = 'device'): Promise<KeyAndCertificate> => {
      let known = identities.get(id)
      if (known === undefined) identities.set(id, (known = enroll(id, profile)))
      return known
    }
    const start = async ({ args: more = [], env: moreEnv = {} }: NodeStart = how): Promise<Node> => {
      const metricsPort = await freePort()
      const ours = [
        `--redis=${redis.url}`,
        `--redis-node-timeout=${nodeTimeout}`,
        `--policy=${policyFile}`,
        `--metrics-port=${metricsPort}`,
        '--max-queued=65000',
        '--message-rate=1000000',
        '--message-burst=1000000',
        '--connect-burst=1000',
      ]
      const isGiven = (flag: string): boolean =>
        more.some((given) => given.startsWith(flag.replace(/=.*/, '=')))
      const args = [...ours.filter((flag) => !isGiven(flag)), ...more]
      const brokerEnv = { ...env, FLEETROOT_ENROLLMENT_PORT: serverUrl.port, ...moreEnv }
      const app = keep(startApp('broker', args, brokerEnv))
      const url = new URL(await app.ready())
      const origin = `http://127.0.0.1:${metricsPort}`
      const node: Node = {
        app,
        url,
        operations: async (path, method = 'GET') => (await fetch(`${origin}${path}`, { method })).text(),
        disconnect: async (role, id) => {
          await fetch(`${origin}/v1/sessions/${role}/${id}`, { method: 'DELETE' })
        },
      }
      nodes.all.push(node)
      return node
    }
    const nodes: Nodes = {
      redis,
      admin,
      root,
      data,
      all: [],
      start,
      identity,
      client: async ({ url }, id, { profile = 'device', ...more } = {}) =>
        Client.connect({ url, root, clientId: id, identity: await identity(id, profile), ...more }),
      dial: async (id, profile, node) => {
        const tls = clientTlsOptions({
          trust: [root],
          identity: await identity(id, profile),
          mode: 'compatible',
        })
        return async () => {
          const { hostname, port } = node().url
          const socket = connect({ ...tls, host: hostname, port: Number(port) })
          await once(socket, 'secureConnect')
          return socket
        }
      },
      setPolicy: (text) => writeFileSync(policyFile, text),
      [Symbol.asyncDispose]: async () => {
        admin.close()
        await dispose()
      },
    }
    for (let n = 0; n < count; n++) await start()
    return nodes
  } catch (error) {
    await dispose()
    throw error
  }
}

/** What a first start writes, for the topics that tests use. */
export const policy = `version: 1
roles:
  device:
    clientIds: ['\${id}']
    publish: ['devices/\${id}/#']
    subscribe: ['devices/\${id}/#', 'fleet/broadcast/#']
  service:
    clientIds: ['\${id}']
    publish: ['devices/+/commands/#', 'fleet/broadcast/#']
    subscribe: ['devices/#', 'fleet/#']
`

/** Resolves when `done` does to true, asked again and again; rejects after a minute with what was wrong. */
export async function until(done: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`not within a minute: ${what()}`)
    await delay(20)
  }
}
