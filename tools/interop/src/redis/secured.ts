import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type RedisServer, startRedis, temporaryFolder } from '@fleetroot/harness'
import { exportPrivateKey, generateKeyPair } from '@fleetroot/pki'
import { issueLeaf, makeAuthority } from '../pki/authority.ts'

/** The password of the user for brokers; nothing may ever print it. */
export const password = 'hunter2-and-nobody-else'

/** A Redis that speaks TLS with certificates on both sides, and knows a user who may do what docs/operations.md says. */
export interface SecuredRedis extends AsyncDisposable {
  readonly server: RedisServer
  /** `rediss://fleetroot@localhost:PORT/1` */
  readonly url: string
  /** As `url`, under an address that its certificate does not have. */
  readonly otherUrl: string
  /** Files for brokers; `stranger` has nothing to do with the others. */
  readonly files: Readonly<Record<'ca' | 'cert' | 'key' | 'stranger', string>>
  /** What a broker needs to get in. */
  readonly flags: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Another CA, certificate and key in all files, which Redis reads when it starts. */
  renewAll(): Promise<void>
}

/** The line of docs/operations.md about the user for brokers. */
export function userLine(): string {
  const document = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')
  const line = /^user fleetroot on >PASSWORD \S.*$/m.exec(document)?.[0]
  if (line === undefined) throw new Error('docs/operations.md has no line that begins with: user fleetroot')
  return line
}

/** Starts one; `await using` or the test ends it. */
export async function startSecuredRedis(): Promise<SecuredRedis> {
  const folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  const files = {
    ca: at('ca.crt'),
    cert: at('broker.crt'),
    key: at('broker.key'),
    stranger: at('stranger.crt'),
  }
  const own = { cert: at('redis.crt'), key: at('redis.key') }

  async function renewAll(): Promise<void> {
    const authority = await makeAuthority('P-256')
    writeFileSync(files.ca, authority.root.pem)
    for (const { cert, key } of [files, own]) {
      const keys = generateKeyPair('P-256')
      const leaf = await issueLeaf(authority, 'service', keys.publicKey, { dns: ['localhost'] })
      writeFileSync(cert, leaf.pem + authority.issuer.certificate.pem)
      writeFileSync(key, exportPrivateKey(keys.privateKey), { mode: 0o600 })
    }
  }

  await renewAll()
  writeFileSync(files.stranger, (await makeAuthority('P-256')).root.pem)
  const port = await freePort()
  const config = [
    'appendonly yes',
    'appendfsync always',
    `tls-port ${port}`,
    `tls-cert-file ${own.cert}`,
    `tls-key-file ${own.key}`,
    `tls-ca-cert-file ${files.ca}`,
    'tls-auth-clients yes',
    userLine().replace('>PASSWORD', `>${password}`),
  ]
  const server = await startRedis(config.flatMap((line) => `--${line}`.split(/\s+/)))
  const url = `rediss://fleetroot@localhost:${port}/1`
  return {
    server,
    url,
    otherUrl: url.replace('localhost', '127.0.0.1'),
    files,
    flags: [
      `--redis=${url}`,
      `--redis-ca=${files.ca}`,
      `--redis-cert=${files.cert}`,
      `--redis-key=${files.key}`,
    ],
    env: { FLEETROOT_BROKER_REDIS_PASSWORD: password },
    renewAll,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}
