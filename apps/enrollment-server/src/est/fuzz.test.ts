import { once } from 'node:events'
import { connect } from 'node:tls'
import { createCsr, generateKeyPair } from '@fleetroot/pki'
import { collectGarbage, fuzzing } from '@fleetroot/pki/testing'
import { expect, it } from 'vitest'
import { basic, csrFor, simpleEnroll } from '../testing/enroll.ts'
import { commonName, der, rawCsr, signCsr } from '../testing/raw-csr.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const { seconds, seed, random } = fuzzing(2)

const oneOf = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T
const bytes = (most: number): Buffer =>
  Buffer.from(Array.from({ length: random(most + 1) }, () => random(256)))

/** Octets changed, put in, taken out or cut off. */
function damaged(input: Buffer): Buffer {
  let output = Buffer.from(input)
  for (let times = random(4); times >= 0; times -= 1) {
    const at = random(output.length + 1)
    const before = output.subarray(0, at)
    output = oneOf([
      () => Buffer.concat([before, Buffer.of(random(256)), output.subarray(at + 1)]),
      () => Buffer.concat([before, bytes(8), output.subarray(at)]),
      () => Buffer.concat([before, output.subarray(Math.min(output.length, at + random(8)))]),
      () => Buffer.from(before),
    ])()
  }
  return output
}

/** DER of any shape that is well-formed: what is behind the reader of DER must not mind either. */
function anything(depth: number): Buffer {
  if (depth === 0 || random(3) === 0)
    return der(
      oneOf([0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x17, 0x1e, 0x80, random(256)]),
      bytes(24),
    )
  return der(oneOf([0x30, 0x31, 0xa0, 0xa3]), ...Array.from({ length: random(4) }, () => anything(depth - 1)))
}

const { privateKey } = generateKeyPair('P-256')
const oids = [
  '2a864886f70d01090e',
  '2a864886f70d010907',
  '551d11',
  '551d13',
  '551d0f',
  '551d25',
  '2a030405',
].map((hex) => der(0x06, Buffer.from(hex, 'hex')))

function someCsr(): Buffer {
  const good = createCsr({
    privateKey,
    commonName: 'fuzzed',
    subjectAltNames: [{ type: 'uri', value: 'spiffe://fleet.example/device/fuzzed' }],
  })
  const extension = (): Buffer =>
    der(0x30, oneOf(oids), ...(random(2) ? [Buffer.from('0101ff', 'hex')] : []), der(0x04, anything(4)))
  const attribute = (): Buffer =>
    der(
      0x30,
      oneOf(oids),
      der(0x31, random(2) ? der(0x30, ...Array.from({ length: random(5) }, extension)) : anything(5)),
    )
  return oneOf([
    () => good,
    () => damaged(good),
    () =>
      rawCsr(privateKey, {
        subject: [commonName('fuzzed')],
        attributes: Array.from({ length: random(5) }, attribute),
      }),
    () =>
      rawCsr(privateKey, {
        subject: Array.from({ length: random(4) }, () =>
          oneOf([
            () => anything(3),
            () => commonName(bytes(70).toString('latin1'), oneOf([0x0c, 0x13, 0x14, 0x1e])),
          ])(),
        ),
      }),
    // Signed after it was damaged: the proof of possession is good, and the rest is looked at.
    () => signCsr(privateKey, damaged(good.subarray(4, good.length - 90))),
    () => signCsr(privateKey, anything(7)),
    () => anything(8),
    () => bytes(3000),
  ])()
}

function someBody(): Buffer {
  const csr = someCsr()
  const base64 = csr.toString('base64')
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE REQUEST-----\n`
  return oneOf([
    () => csr,
    () => Buffer.from(base64),
    () => Buffer.from(base64.replace(/.{64}/g, '$&\r\n')),
    () => Buffer.from(pem),
    () => damaged(Buffer.from(pem)),
    () => damaged(Buffer.from(base64)),
    () => Buffer.from(`${base64}${' '.repeat(random(66_000))}`),
    () => Buffer.from(JSON.stringify({ csr: base64 })),
  ])()
}

function someRequest(token: string) {
  const operation = oneOf([
    'simpleenroll',
    'simplereenroll',
    'serverkeygen',
    'cacerts',
    'csrattrs',
    'fullcmc',
    '',
    bytes(8).toString('hex'),
  ])
  const label = oneOf([
    '',
    '/device',
    '/service',
    '/operator',
    '/%00',
    '/..',
    `/${bytes(70).toString('hex')}`,
  ])
  return {
    path: oneOf([
      `/.well-known/est${label}/${operation}`,
      `${label}/.well-known/est/${operation}`,
      '/v1/enrollments',
    ]),
    method: oneOf(['POST', 'POST', 'POST', 'POST', 'GET', 'PUT', 'DELETE', 'OPTIONS']),
    headers: {
      'content-type': oneOf([
        'application/pkcs10',
        'application/pkcs10',
        'application/pkcs10; x=y',
        'application/json',
        'text/plain',
        'x',
      ]),
      'content-transfer-encoding': oneOf(['base64', 'binary', 'x'.repeat(random(100))]),
      'user-agent': oneOf(['libest 3.2', 'curl', '']),
      ...oneOf<() => Record<string, string>>([
        () => ({}),
        () => basic('fuzzed', token),
        () => basic(bytes(40).toString('latin1'), bytes(60).toString('latin1')),
        () => ({ authorization: `Bearer ${oneOf([token, bytes(40).toString('hex')])}` }),
        () => ({ authorization: bytes(60).toString('base64') }),
      ])(),
    },
    body: someBody(),
  }
}

/** Octets over TLS that are no HTTP, or several requests at once, or half of one. */
async function rawOctets(testbed: Testbed): Promise<void> {
  const socket = connect({ host: 'localhost', port: testbed.port, ca: testbed.root })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  const body = someBody()
  const head = `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n\r\n`
  const request = Buffer.concat([Buffer.from(head), body])
  socket.end(
    oneOf([
      () => damaged(request),
      () => Buffer.concat(Array.from({ length: 5 }, () => request)),
      () => bytes(500),
    ])(),
  )
  socket.resume()
  // No more is coming: the server ends what it has not got as a whole, and closes.
  await once(socket, 'close')
}

function residentBytes(): number {
  collectGarbage()
  return process.memoryUsage().rss
}

it(
  `whatever CSR and request arrive for ${seconds} s (seed ${seed}), each is answered, none with 500, and memory stays`,
  { timeout: (seconds + 120) * 1000 },
  async () => {
    const testbed = await openTestbed({ approvals: true })
    try {
      const token = await testbed.token('fuzzed')
      const statuses = new Map<number, number>()
      const end = performance.now() + seconds * 1000
      const warm = performance.now() + Math.min(seconds * 250, 60_000)
      let before = 0
      let asked = 0
      // However slow the machine is, there are enough of them.
      while (performance.now() < end || asked < 300) {
        const some = Array.from({ length: 8 }, () => someRequest(token))
        const answers = await Promise.all(some.map(({ path, ...request }) => testbed.request(path, request)))
        for (const [at, { status, body }] of answers.entries()) {
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          expect(status < 500, `${status} ${body} to ${JSON.stringify(some[at])}`).toBe(true)
          asked += 1
        }
        if (random(4) === 0) await rawOctets(testbed)
        if (before === 0 && performance.now() > warm) before = residentBytes()
      }
      expect(residentBytes() - before).toBeLessThan(150 * 2 ** 20)
      expect(testbed.decisions).not.toContain('internal')
      expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 404, 405]))
      expect((await simpleEnroll(testbed, 'last', await testbed.token('last'), csrFor('last'))).status).toBe(
        200,
      )
    } finally {
      await testbed.close()
    }
  },
)
