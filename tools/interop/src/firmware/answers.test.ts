import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import { type Certificate, defaultProfiles, encodeCertsOnly, generateKeyPair, parseCsr } from '@fleetroot/pki'
import { issueFor, issueLeaf, makeHierarchy, makeIssuing, type TestHierarchy } from '@fleetroot/pki/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Answer, run } from '../run.ts'
import { buildFirmware } from './build.ts'
import { openScriptedServer, type ScriptedAnswer } from './scripted-server.ts'

// What the C example makes of answers that no server of ours would give, and of those that ask for patience.

const trustDomain = 'fleetroot.local'
const folder = temporaryFolder()
const file = (name: string): string => join(folder.path, name)
const crlf = (...lines: string[]): string => lines.join('\r\n')
const ok = (body: string, ...headers: string[]): string =>
  crlf('HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...headers, '', body)
const base64 = (certificates: Certificate[]): string => encodeCertsOnly(certificates).toString('base64')

/** The answers to each request for a certificate, in turn; the last one again and again. */
type Script = (wish: {
  hierarchy: TestHierarchy
  issued: Certificate
  csr: Buffer
}) => ScriptedAnswer[] | Promise<ScriptedAnswer[]>

judgedBy(['cc', 'make', 'libc', 'mbedtls'], 'the firmware in C', () => {
  let firmware: string
  let hierarchy: TestHierarchy
  beforeAll(async () => {
    hierarchy = await makeHierarchy()
    writeFileSync(file('root.crt'), hierarchy.root.certificate.pem)
    // Once: some of the tests run at the same time, and a file that is written again is empty for a moment.
    writeFileSync(file('token'), 'A'.repeat(43))
    firmware = await buildFirmware('firmware-checked')
  })
  afterAll(() => folder[Symbol.dispose]())

  const ask = async (port: number, store: string, attempts: number): Promise<Answer> => {
    const files = [`--root=${file('root.crt')}`, `--store=${store}`, `--token-file=${file('token')}`]
    return run(firmware, [
      '--id=pump-7',
      `--est=localhost:${port}`,
      `--attempts=${attempts}`,
      ...files,
      'enroll',
    ])
  }

  /** Enrolls at a server that follows the script; `store` is there afterwards. */
  async function enroll(
    script: Script,
    {
      attempts = 1,
      store = file('none'),
      cacerts,
    }: { attempts?: number; store?: string; cacerts?: ScriptedAnswer } = {},
  ): Promise<Answer> {
    const profile = defaultProfiles.service
    const leaf = { id: 'enrollment-server', profile, trustDomain, dns: ['localhost'] }
    let requests = 0
    const { root, devices, services } = hierarchy
    const cas = { octets: ok(base64([root, devices, services].map(({ certificate }) => certificate))) }
    await using server = await openScriptedServer(await issueLeaf(services, leaf), async ({ path, body }) => {
      if (path.endsWith('/cacerts')) return cacerts ?? cas
      const csr = Buffer.from(body, 'base64')
      const { publicKey } = await parseCsr(csr)
      const issued = await issueFor(devices, { id: 'pump-7', trustDomain, publicKey })
      const answers = await script({ hierarchy, issued, csr })
      return answers[Math.min(requests++, answers.length - 1)]!
    })
    // The server must be there until the end.
    const answer = await ask(server.port, store, attempts)
    return answer
  }

  const good: Script = ({ issued }) => [{ octets: ok(base64([issued])) }]

  test.each<[what: string, script: Script]>([
    ['a plain body', good],
    ['base64 in lines', ({ issued }) => [{ octets: ok(base64([issued]).replaceAll(/.{64}/g, '$&\r\n')) }]],
    [
      'chunks, with an extension and a trailer',
      ({ issued }) => {
        const body = base64([issued])
        const [first, rest] = [body.slice(0, 10), body.slice(10)]
        const head = crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', 'a;x=y', first, '')
        return [{ octets: head + crlf(rest.length.toString(16), rest, '0', 'X-Trailer: 1', '', '') }]
      },
    ],
    [
      'a body that ends with the connection',
      ({ issued }) => [{ octets: crlf('HTTP/1.1 200 OK', '', base64([issued])), ends: true }],
    ],
    [
      'an interim answer first',
      ({ issued }) => [{ octets: `HTTP/1.1 100 Continue\r\n\r\n${ok(base64([issued]))}` }],
    ],
    [
      'the CA beside the certificate',
      ({ issued, hierarchy: { devices } }) => [{ octets: ok(base64([devices.certificate, issued])) }],
    ],
  ])('takes %s', async (what, script) => {
    const store = file(what)
    const { status, text } = await enroll(script, { store })
    expect(status, text).toBe(0)
    expect(existsSync(join(store, 'identity.pem'))).toBe(true)
  })

  const wait = (status: string): ScriptedAnswer => ({
    octets: crlf(`HTTP/1.1 ${status}`, 'Content-Length: 0', 'Retry-After: 1', '', ''),
  })
  test.concurrent.each<[what: string, status: string]>([
    ['for approval', '202 Accepted'],
    ['while it may not ask', '429 Too Many Requests'],
    ['while the server is out of order', '503 Service Unavailable'],
  ])(
    'waits %s as long as it was told, and at random on top, and asks for the same key again',
    async (what, status) => {
      const keys = new Set<string>()
      const script: Script = async (wish) => {
        keys.add((await parseCsr(wish.csr)).publicKeyFingerprint)
        return [wait(status), wait(status), ...(await good(wish))]
      }
      const answer = await enroll(script, { attempts: 3, store: file(what) })
      expect(answer.status, answer.text).toBe(0)
      expect(keys.size).toBe(1)
      const waits = [...answer.text.matchAll(/again in (\d+) ms/g)].map((match) => Number(match[1]))
      expect(waits).toHaveLength(2)
      for (const [attempt, ms] of waits.entries()) {
        expect(ms).toBeGreaterThanOrEqual(1000)
        expect(ms).toBeLessThanOrEqual(1000 + 500 * 2 ** attempt)
      }
    },
  )

  const raw =
    (octets: string, ends = true): Script =>
    () => [{ octets, ends }]
  const other = async (
    wish: Parameters<typeof issueFor>[1],
    hierarchy: TestHierarchy,
    ca = hierarchy.devices,
  ) => [{ octets: ok(base64([await issueFor(ca, wish)])) }]
  const publicKeyOf = async (csr: Buffer) => (await parseCsr(csr)).publicKey
  test.each<[what: string, status: number, reason: RegExp, script: Script]>([
    ['202 until the last attempt', 8, /not approved yet/, () => [wait('202 Accepted')]],
    ['503 until the last attempt', 7, /asks for patience \(503\)/, () => [wait('503 No')]],
    [
      '401 with a reason that would disturb a terminal',
      6,
      /\(401\): no \?\[31m way\n/,
      raw('HTTP/1.1 401 No\r\n\r\nno \x1b[31m way\nmore'),
    ],
    ['something else than HTTP', 9, /is not HTTP\/1\.1/, raw('SSH-2.0-OpenSSH\r\n')],
    ['a status of two digits', 9, /is not HTTP\/1\.1/, raw('HTTP/1.1 20 OK\r\n\r\n')],
    ['a line without end', 9, /line longer than 1024/, raw(`HTTP/1.1 200 OK\r\nA: ${'a'.repeat(5000)}`)],
    ['a NUL in a header', 9, /has a NUL/, raw('HTTP/1.1 200 OK\r\nA: \0\r\n\r\n')],
    ['a header without a name', 9, /without a name/, raw('HTTP/1.1 200 OK\r\n folded\r\n\r\n')],
    [
      'headers without end',
      9,
      /more than 64 header fields/,
      raw(`HTTP/1.1 200 OK\r\n${'A: 1\r\n'.repeat(100)}`),
    ],
    ['interim answers without end', 9, /too often/, raw('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100))],
    [
      'a negative length',
      9,
      /Content-Length that is none/,
      raw('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'),
    ],
    [
      'two lengths',
      9,
      /Content-Length that is none/,
      raw('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
    ],
    [
      'a length and chunks',
      9,
      /both/,
      raw('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ],
    [
      'an encoding that nobody knows',
      9,
      /another Transfer-Encoding/,
      raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'),
    ],
    ['a body that is too large', 9, /larger than 16384/, raw(ok('A'.repeat(20_000)))],
    [
      'chunks that are too large',
      9,
      /larger than 16384/,
      raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n'),
    ],
    [
      'a chunk without a size',
      9,
      /chunk without a size/,
      raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'),
    ],
    [
      'a chunk that is longer than it says',
      9,
      /does not end where/,
      raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nAB\r\n'),
    ],
    ['half an answer', 4, /ends in the middle/, raw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nAB')],
    ['no base64', 9, /holds no certificates/, raw(ok('<html>'))],
    ['base64 of no PKCS#7', 9, /holds no certificates/, raw(ok(Buffer.alloc(64, 0x30).toString('base64')))],
    [
      'PKCS#7 that ends too soon',
      9,
      /holds no certificates/,
      ({ issued }) => [{ octets: ok(encodeCertsOnly([issued]).subarray(0, 300).toString('base64')) }],
    ],
    [
      'a certificate for another key',
      10,
      /is for our key/,
      ({ hierarchy }) =>
        other({ id: 'pump-7', trustDomain, publicKey: generateKeyPair('P-256').publicKey }, hierarchy),
    ],
    [
      'a certificate for another device',
      10,
      /for another device/,
      async ({ hierarchy, csr }) =>
        other({ id: 'pump-8', trustDomain, publicKey: await publicKeyOf(csr) }, hierarchy),
    ],
    [
      'a certificate that has expired',
      10,
      /not valid: The certificate validity has expired/,
      async ({ hierarchy, csr }) =>
        other(
          {
            id: 'pump-7',
            trustDomain,
            publicKey: await publicKeyOf(csr),
            issuedAt: new Date(Date.now() - 300 * 86_400_000),
            lifetimeSeconds: 86_400,
          },
          hierarchy,
        ),
    ],
    [
      'a certificate of a CA of another root',
      10,
      /not valid: The certificate is not correctly signed/,
      async ({ hierarchy, csr }) => {
        const { root } = await makeHierarchy()
        const ca = await makeIssuing(root, { commonName: 'Test Devices' })
        return other({ id: 'pump-7', trustDomain, publicKey: await publicKeyOf(csr) }, hierarchy, ca)
      },
    ],
  ])('refuses %s, with status %i', async (what, status, reason, script) => {
    const store = file(`refused ${what}`)
    const answer = await enroll(script, { store })
    expect(answer.text).toMatch(reason)
    expect(answer.status).toBe(status)
    expect(existsSync(join(store, 'identity.pem'))).toBe(false)
    expect(answer.text).not.toMatch(/Sanitizer|runtime error/)
  })

  test('sends no token to a service that is another than the enrollment server', async () => {
    const leaf = { id: 'other', profile: defaultProfiles.service, trustDomain, dns: ['localhost'] }
    let requests = 0
    await using server = await openScriptedServer(await issueLeaf(hierarchy.services, leaf), async () => {
      requests += 1
      return { octets: '' }
    })
    const answer = await ask(server.port, file('impostor'), 1)
    expect(answer.text).toContain(
      'does not have the identity spiffe://fleetroot.local/service/enrollment-server',
    )
    expect(answer.status).toBe(5)
    expect(requests).toBe(0)
  })
})
