import {
  buildOcspResponse,
  type Certificate,
  createCertId,
  createOcspRequest,
  exportPrivateKey,
  type FoundStatus,
  generateKeyPair,
  type Issuer,
  keyAlgorithms,
  type KeyAlgorithm,
  keySigner,
  ocspErrorResponse,
  ocspErrors,
  parseOcspRequest,
  parseOcspResponse,
  verifyOcspResponse,
} from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { issueLeaf, keysOf, makeAuthority } from './authority.ts'

const hour = 3_600_000

/** A CA, a responder that it appointed, one good, one held and one unknown certificate; files for the judges. */
async function makeScene(folder: string, algorithm: KeyAlgorithm) {
  const authority = await makeAuthority(algorithm)
  const keys = keysOf(algorithm, 'leaf')
  const certificate = await issueLeaf(authority, 'ocsp', keys.publicKey)
  const responder: Issuer = { certificate, signer: keySigner(keys.privateKey) }
  const device = generateKeyPair('P-256').publicKey
  const leaves = {
    good: await issueLeaf(authority, 'device', device),
    held: await issueLeaf(authority, 'device', device),
    unknown: await issueLeaf(authority, 'device', device),
  }
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const files = {
    root: file('root.pem', authority.root.pem),
    ca: file('ca.pem', authority.issuer.certificate.pem),
    chain: file('chain.pem', authority.issuer.certificate.pem + authority.root.pem),
    good: file('good.pem', leaves.good.pem),
    held: file('held.pem', leaves.held.pem),
    unknown: file('unknown.pem', leaves.unknown.pem),
    responder: file('responder.pem', certificate.pem),
    responderKey: file('responder.key', exportPrivateKey(keys.privateKey)),
    request: join(folder, 'request.der'),
    response: join(folder, 'response.der'),
  }
  return { authority, responder, leaves, files, file }
}

type Scene = Awaited<ReturnType<typeof makeScene>>

/** Our answer to a request: one certificate is good, one on hold, and of the others nothing is known. */
function answer({ authority, leaves }: Scene, responder: Issuer, request: Uint8Array): Promise<Buffer> {
  const now = Date.now()
  const { good, held } = leaves
  const registry = new Map<string, FoundStatus>([
    [good.serial, { status: 'good', serial: good.serial }],
    [
      held.serial,
      { status: 'revoked', revokedAt: new Date('2026-11-01T02:03:04Z'), reason: 'certificateHold' },
    ],
  ])
  return buildOcspResponse({
    request: parseOcspRequest(request),
    statuses: ({ serial }) => registry.get(serial),
    issuer: authority.issuer.certificate,
    responder,
    producedAt: new Date(now),
    thisUpdate: new Date(now - 1000),
    nextUpdate: new Date(now + hour),
  })
}

/** Serves {@link answer}, or `other` in its place, to whoever posts; RFC 6960 appendix A. */
async function serve(scene: Scene, responder: Issuer, other?: Buffer) {
  const server = createServer((request, response) => {
    void buffer(request)
      .then((body) => other ?? answer(scene, responder, body))
      .then((der) => response.setHeader('content-type', 'application/ocsp-response').end(der))
      .catch((error: unknown) => response.writeHead(500).end(String(error)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => server.close().closeAllConnections() }
}

/** The arguments with which `openssl ocsp` asks about certificates. */
const question = (
  files: Scene['files'],
  hash: string,
  ...names: ('good' | 'held' | 'unknown')[]
): string[] => ['ocsp', `-${hash}`, '-issuer', files.ca, ...names.flatMap((name) => ['-cert', files[name]])]

judgedBy(['openssl'], 'OCSP, judged by openssl as a client', () => {
  test.each(keyAlgorithms)('openssl asks, and believes a responder with a %s key', async (algorithm) => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, algorithm)
    const { files, responder } = scene
    using server = await serve(scene, responder)
    for (const hash of ['sha1', 'sha256', 'sha384', 'sha512']) {
      const ask = question(files, hash, 'good', 'held', 'unknown')
      const { text } = await succeed('openssl', [...ask, '-url', server.url, '-CAfile', files.root])
      expect(text).toMatch(/Response verify OK/)
      expect(text).not.toMatch(/WARNING|Nonce/i)
      expect(text).toMatch(/good\.pem: good/)
      expect(text).toMatch(
        /held\.pem: revoked\n[^]*Reason: certificateHold\n[^]*Revocation Time: Nov {2}1 02:03:04/,
      )
      expect(text).toMatch(/unknown\.pem: unknown/)
    }
  })

  test.each(keyAlgorithms)(
    'openssl believes the answer of the CA itself with a %s key',
    async (algorithm) => {
      using folder = temporaryFolder()
      const scene = await makeScene(folder.path, algorithm)
      const { files, authority } = scene
      const ask = question(files, 'sha256', 'good')
      await succeed('openssl', [...ask, '-reqout', files.request, '-no_nonce'])
      writeFileSync(files.response, await answer(scene, authority.issuer, readFileSync(files.request)))
      const check = ['-respin', files.response, '-no_nonce', '-CAfile', files.root, '-verify_other', files.ca]
      const { text } = await succeed('openssl', [...ask, ...check])
      expect(text).toMatch(/Response verify OK/)
      expect(text).toMatch(/good\.pem: good/)
    },
  )

  test('openssl refuses an answer with another nonce, a changed one, and one that it has no trust in', async () => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, 'P-256')
    const { files, file, responder } = scene
    const ask = question(files, 'sha256', 'good')
    await succeed('openssl', [...ask, '-reqout', files.request])
    const kept = await answer(scene, responder, readFileSync(files.request))
    const trust = ['-CAfile', files.root]
    using replaying = await serve(scene, responder, kept)
    expect((await run('openssl', [...ask, '-url', replaying.url, ...trust])).text).toMatch(
      /Nonce Verify error/,
    )

    const check = (response: Buffer, anchors = trust) =>
      run('openssl', [...ask, '-no_nonce', '-respin', file('response.der', response), ...anchors])
    expect((await check(kept)).text).toMatch(/Response verify OK/)
    const changed = Buffer.from(kept)
    const at = changed.indexOf(scene.leaves.good.serial, 'hex')
    changed[at + 5] = (changed[at + 5] ?? 0) ^ 1
    expect((await check(changed)).text).toMatch(/Response Verify Failure/)
    const foreign = await makeAuthority('P-256')
    const anchors = ['-CAfile', file('foreign.pem', foreign.root.pem)]
    expect((await check(kept, anchors)).text).toMatch(/Response Verify Failure/)
  })

  test('openssl names our errors', async () => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, 'P-256')
    const ask = question(scene.files, 'sha256', 'good')
    for (const { name, code } of ocspErrors) {
      using server = await serve(scene, scene.responder, ocspErrorResponse(name))
      const { text } = await run('openssl', [...ask, '-url', server.url, '-CAfile', scene.files.root])
      expect(text).toMatch(new RegExp(`Responder Error: ${name} \\(${code}\\)`, 'i'))
    }
  })
})

judgedBy(['ocsptool'], 'OCSP, judged by GnuTLS ocsptool', () => {
  test.each(keyAlgorithms)('ocsptool asks, and believes our answer by a %s key', async (algorithm) => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, algorithm)
    const { files } = scene
    // GnuTLS finds a CA that answers itself by its subjectKeyIdentifier, taken for the SHA-1 of the key, which
    // ours is not (RFC 7093): it must be told who signs. A delegated responder comes with its certificate.
    for (const [responder, trust] of [
      [scene.responder, ['--load-trust', files.chain]],
      [scene.responder, ['--load-signer', files.responder]],
      [scene.authority.issuer, ['--load-signer', files.ca]],
    ] as const) {
      using server = await serve(scene, responder)
      for (const [name, status] of [
        ['good', /Certificate Status: good/],
        ['held', /Certificate Status: revoked\n\s*Revocation time: Sun Nov 01 02:03:04 UTC 2026/],
        ['unknown', /Certificate Status: unknown/],
      ] as const) {
        const about = ['--load-issuer', files.ca, '--load-cert', files[name], ...trust]
        const asked = await run('ocsptool', [
          `--ask=${server.url}`,
          '--nonce',
          ...about,
          '--outfile',
          files.response,
        ])
        const info = await run('ocsptool', ['--response-info', '--load-response', files.response])
        expect(info.text, asked.text).toMatch(status)
        expect(info.text).toMatch(/Nonce: [0-9a-f]{46}/)
        const load = ['--load-response', files.response, ...trust]
        expect((await succeed('ocsptool', ['--verify-response', ...load])).text).toMatch(/Success/)
      }
    }
  })

  test('ocsptool reads the request that we make', async () => {
    using folder = temporaryFolder()
    const { authority, leaves } = await makeScene(folder.path, 'P-256')
    const certIds = [leaves.good, leaves.held].map(({ serial }) =>
      createCertId(authority.issuer.certificate, serial, 'sha1'),
    )
    const request = createOcspRequest({ certIds, nonce: Buffer.alloc(32, 7) })
    const { text } = await succeed('ocsptool', ['--request-info'], { input: request })
    for (const { serial } of certIds) expect(text).toContain(serial)
    expect(text).toContain(`Nonce: ${'07'.repeat(32)}`)
  })
})

judgedBy(['openssl'], 'OCSP, with openssl as the responder', () => {
  test('we believe what openssl answers to our request, and only that', async () => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, 'P-256')
    const { authority, leaves, files, file } = scene
    const line = (state: string, revoked: string, { serial }: Certificate) =>
      `${state}\t361231235959Z\t${revoked}\t${serial.toUpperCase()}\tunknown\t/CN=pump-7\n`
    const index = file(
      'index.txt',
      line('V', '', leaves.good) + line('R', '261101020304Z,keyCompromise', leaves.held),
    )
    const issuer = authority.issuer.certificate
    const certIds = [leaves.good, leaves.held, leaves.unknown].map(({ serial }) =>
      createCertId(issuer, serial),
    )
    const request = { certIds, nonce: Buffer.alloc(32, 7) }
    writeFileSync(files.request, createOcspRequest(request))
    const signer = ['-rsigner', files.responder, '-rkey', files.responderKey]
    const database = ['-index', index, '-CA', files.ca, '-nmin', '5']
    for (const id of [[], ['-resp_key_id']]) {
      const io = ['-reqin', files.request, '-respout', files.response]
      await succeed('openssl', ['ocsp', ...database, ...signer, ...id, ...io])
      const response = parseOcspResponse(readFileSync(files.response))
      const now = new Date()
      const singles = await verifyOcspResponse({ response, request, issuer, now })
      expect(singles.map(({ status }) => status)).toEqual([
        { status: 'good' },
        { status: 'revoked', revokedAt: new Date('2026-11-01T02:03:04Z'), reason: 'keyCompromise' },
        { status: 'unknown' },
      ])
      const late = new Date(now.getTime() + hour)
      await expect(verifyOcspResponse({ response, request, issuer, now: late })).rejects.toThrow(
        'to be used until',
      )
      const other = { certIds, nonce: Buffer.alloc(32, 8) }
      await expect(verifyOcspResponse({ response, request: other, issuer, now })).rejects.toThrow('nonce')
    }
  })

  test('we read requests that openssl signs, and answer them', async () => {
    using folder = temporaryFolder()
    const scene = await makeScene(folder.path, 'P-256')
    const { files } = scene
    const ask = question(files, 'sha256', 'good', 'held')
    const signed = ['-signer', files.responder, '-signkey', files.responderKey, '-reqout', files.request]
    await succeed('openssl', [...ask, ...signed])
    const response = parseOcspResponse(await answer(scene, scene.responder, readFileSync(files.request)))
    expect(response.status === 'successful' && response.responses.length).toBe(2)
  })
})
