import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCaKeys } from '@fleetroot/harness'
import { type Config, createLogger, createOperations, openDataDirectory } from '@fleetroot/service'
import type { settings } from '../config/settings.ts'
import { createMetrics } from '../server/metrics.ts'
import type { ServerOptions } from '../server/start.ts'
import { startServer } from '../server/start.ts'
import { type Answer, createRequester, type Identity, type Request } from './request.ts'

/** A real server on a data directory of its own and on free ports, and what a test needs to talk to it. */
export interface Testbed {
  readonly port: number
  readonly httpPort: number
  readonly root: string
  readonly operator: Identity
  readonly lines: readonly Record<string, unknown>[]
  readonly decisions: readonly string[]
  /** What `/metrics` would say. */
  metrics(): Promise<string>
  /** The files that the server made, each with the reason, if it gave one. */
  readonly made: readonly [file: string, why: string | undefined][]
  /** Moves the server's clock. */
  advance(ms: number): void
  refresh(): Promise<void>
  file(...parts: string[]): string
  request(path: string, options?: Request): Promise<Answer>
  /** Closes the connections that were kept alive. */
  reconnect(): void
  /** Registers a device and resolves to a token for it. */
  token(id: string, device?: object): Promise<string>
  close(): Promise<void>
}

const defaults = {
  host: '127.0.0.1',
  port: 0,
  httpPort: 0,
  metricsPort: 0,
  serverNames: ['localhost', '127.0.0.1'],
  brokerNames: ['localhost'],
  trustDomain: 'fleet.example',
  publicUrl: undefined,
  caKeyAlgorithm: 'P-256',
  caIntroduction: 600_000,
  caPassphrase: 'a passphrase for tests',
  caPassphraseFile: undefined,
  metricsHost: '127.0.0.1',
  deviceLifetime: 30 * 86_400_000,
  renewalGrace: 0,
  serviceLifetime: 30 * 86_400_000,
  operatorLifetime: 86_400_000,
  authorizationUrl: undefined,
  authorizationSecretFile: undefined,
  authorizationTrustFile: undefined,
  profiles: [],
  manufacturers: {},
  approvals: false,
  serverKeygen: false,
  approvalLifetime: 7 * 86_400_000,
  approvalRetry: 60_000,
  tokenLifetime: 86_400_000,
  crlInterval: 3_600_000,
  crlLifetime: 86_400_000,
  deltaCrlFrom: 10_000,
  ocspLifetime: 600_000,
  eventRetention: 7 * 86_400_000,
  rateLimit: 1_000_000,
  failedTokenLimit: 1_000_000,
  sandbox: undefined,
} satisfies Config<typeof settings> & { host: string }

/**
 * Starts a server in this process. Close it when the test is over. With `startedAgoMs` its clock begins in the
 * past, so that what it makes after `advance` is valid by the clock of TLS, which no test can move. With `sharing`
 * it is a second server on the data directory of another, to be closed before that one.
 */
export async function openTestbed(
  config: Partial<ServerOptions['config']> = {},
  startedAgoMs = 0,
  sharing?: Testbed,
): Promise<Testbed> {
  const folder = sharing?.file() ?? (await mkdtemp(join(tmpdir(), 'fleetroot-enrollment-')))
  const data = await openDataDirectory(folder)
  if (!sharing) writeCaKeys(folder, defaults.caPassphrase)
  const closers: (() => Promise<void>)[] = []
  const lines: Record<string, unknown>[] = []
  const decisions: string[] = []
  const made: [string, string | undefined][] = []
  let offsetMs = -startedAgoMs
  const operations = createOperations({ port: 0 })
  const counted = createMetrics(operations.register)
  const server = await startServer({
    config: { ...defaults, ...config },
    data,
    version: '0.0.0',
    logger: createLogger({
      name: 'enrollment-server',
      level: 'info',
      stream: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    metrics: {
      ...counted,
      decided: (protocol, decision) => {
        decisions.push(decision)
        counted.decided(protocol, decision)
      },
      refusedAtGate: (code) => {
        decisions.push(code)
        counted.refusedAtGate(code)
      },
    },
    now: () => new Date(Date.now() + offsetMs),
    made: (file, why) => made.push([file, why]),
    onStop: (_what, close) => closers.unshift(close),
    onFailure: (error) => {
      throw error
    },
  })
  const read = (...parts: string[]): Promise<string> => readFile(data.file(...parts), 'utf8')
  const root = await read('public', 'root.crt')
  const operator = { cert: await read('operator', 'cert.pem'), key: await read('operator', 'key.pem') }
  const requester = createRequester(server.port, root)

  const asOperator = async (path: string, json: object): Promise<Answer> => {
    const answer = await requester.request(path, { method: 'POST', json, identity: operator })
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${answer.body}`)
    return answer
  }
  return {
    port: server.port,
    httpPort: server.httpPort,
    root,
    operator,
    lines,
    decisions,
    metrics: () => operations.register.metrics(),
    made,
    advance: (ms) => {
      offsetMs += ms
    },
    refresh: () => server.refresh(),
    file: (...parts) => data.file(...parts),
    reconnect: () => requester.close(),
    request: (path, options) => requester.request(path, options),
    token: async (id, device = {}) => {
      await asOperator('/v1/devices', { id, ...device })
      return (await asOperator(`/v1/devices/${id}/tokens`, {})).json['token'] as string
    },
    close: async () => {
      requester.close()
      for (const close of closers) await close()
      await operations.close()
      if (sharing === undefined) await rm(folder, { recursive: true })
    },
  }
}
