import { once } from 'node:events'
import { connect } from 'node:tls'
import { decodeCertsOnly } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, csrFor, enrolledDevice } from '../testing/enroll.ts'
import { factoryCertificate } from '../testing/manufacturer.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { bundleOf } from '../testing/authority.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const est = '/.well-known/est'

/** Sends octets over one connection of a client that knows no more of HTTP than it must, and gives back all that came. */
async function exchange(parts: readonly (string | Buffer)[], identity?: Identity): Promise<string> {
  const socket = connect({ host: 'localhost', port: testbed.port, ca: testbed.root, ...identity })
  await once(socket, 'secureConnect')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (const part of parts) socket.write(part)
  await once(socket, 'end')
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}

function post(
  operation: string,
  body: string,
  { authorization = '', ...more }: Record<string, string> = {},
): string {
  const headers = Object.entries({ ...(authorization && { authorization }), ...more }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `POST ${est}/${operation} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n${headers.join('')}\r\n${body}`
}

const get = (operation: string, more = ''): string =>
  `GET ${est}/${operation} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`
const last = 'Connection: close\r\n'
const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
const subjectsOf = (text: string): string[] =>
  [...text.matchAll(/\r\n\r\n([A-Za-z0-9+/=]+)\n/g)]
    .map(([, base64 = '']) => decodeCertsOnly(Buffer.from(base64, 'base64'))[0])
    .map((certificate) => certificate?.subjectAltNames[0]?.value.split('/').at(-1) ?? 'CA')

describe('one connection', () => {
  it('carries several requests that are sent at once, whose answers come in their order', async () => {
    const ids = ['pipe-1', 'pipe-2', 'pipe-3']
    const requests = []
    for (const id of ids) requests.push(post('simpleenroll', csrFor(id), basic(id, await testbed.token(id))))
    const text = await exchange([
      get('cacerts') + requests.join('') + post('simpleenroll', csrFor('x')) + get('cacerts', last),
    ])
    expect(statusesOf(text)).toEqual([200, 200, 200, 200, 401, 200])
    expect(subjectsOf(text)).toEqual(['CA', ...ids, 'CA'])
  })

  it('goes on after a refusal, as libest needs it, which sends its token on the same one', async () => {
    const id = 'second-try'
    const token = await testbed.token(id)
    const csr = csrFor(id)
    const socket = connect({ host: 'localhost', port: testbed.port, ca: testbed.root })
    await once(socket, 'secureConnect')
    const heard = async (): Promise<string> => ((await once(socket, 'data')) as [Buffer])[0].toString()
    socket.write(post('simpleenroll', csr))
    expect(await heard()).toMatch(/^HTTP\/1\.1 401 [^]*www-authenticate: Basic realm="est"/i)
    socket.write(post('simpleenroll', csr, basic(id, token)))
    expect(await heard()).toMatch(/^HTTP\/1\.1 200 /)
    socket.destroy()
  })

  it('carries a body in chunks, one that waits for 100, and one that comes octet by octet', async () => {
    const [chunked, waiting, slow] = ['in-chunks', 'in-waiting', 'in-octets'] as const
    const headers = async (id: string): Promise<string> =>
      `POST ${est}/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nauthorization: ${basic(id, await testbed.token(id))['authorization']}\r\n`
    const csr = csrFor(chunked)
    const half = Math.floor(csr.length / 2)
    const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
    const body = chunk(csr.slice(0, half)) + chunk(csr.slice(half)) + '0\r\n\r\n'
    const wait = csrFor(waiting)
    const drops = post('simpleenroll', csrFor(slow), basic(slow, await testbed.token(slow)))
    const text = await exchange([
      `${await headers(chunked)}Transfer-Encoding: chunked\r\n\r\n${body}`,
      `${await headers(waiting)}Expect: 100-continue\r\nContent-Length: ${wait.length}\r\n\r\n`,
      wait,
      ...drops.split(''),
      get('cacerts', last),
    ])
    expect(statusesOf(text)).toEqual([200, 100, 200, 200, 200])
    expect(subjectsOf(text)).toEqual([chunked, waiting, slow, 'CA'])
  })

  it('is closed for a client that asks for it, or speaks HTTP/1.0', async () => {
    expect(statusesOf(await exchange([get('csrattrs', last), get('cacerts')]))).toEqual([204])
    const old = await exchange([`GET ${est}/cacerts HTTP/1.0\r\n\r\n`])
    expect(old).toMatch(/^HTTP\/1\.[01] 200 [^]*connection: close/i)
  })
})

describe('a client certificate', () => {
  it('comes with its issuing CA, its root and much else that nobody asked for', async () => {
    const { identity } = await enrolledDevice(testbed, 'talkative')
    const { issuers, root } = await bundleOf(testbed)
    const others = Array.from(
      { length: 40 },
      () => factoryCertificate(undefined, { commonName: 'Other', isCa: true }).pem,
    )
    const long = { ...identity, cert: [identity.cert, ...issuers.devices, root, ...others].join('') }
    expect(Buffer.byteLength(long.cert)).toBeGreaterThan(15_000)
    const answer = await testbed.request(`${est}/simplereenroll`, {
      method: 'POST',
      headers: { 'content-type': 'application/pkcs10' },
      body: csrFor('talkative'),
      identity: long,
    })
    expect(answer.status).toBe(200)
  })
})
