import { readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:tls'
import { once } from 'node:events'
import { parseCertificate, parseCertificates } from '@fleetroot/pki'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { csrFor, restEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeEach(async () => {
  testbed = await openTestbed()
})
afterEach(() => testbed.close())

const hour = 3_600_000

/** A server that has run since `agoMs`. */
async function restart(agoMs: number): Promise<void> {
  await testbed.close()
  testbed = await openTestbed({}, agoMs)
}

const read = (...parts: string[]) => readFile(testbed.file(...parts), 'utf8')

async function servedSerial(): Promise<string> {
  const socket = connect({ host: 'localhost', port: testbed.port, ca: testbed.root, servername: 'localhost' })
  await once(socket, 'secureConnect')
  const raw = socket.getPeerX509Certificate()?.raw
  socket.destroy()
  return raw ? parseCertificate(raw).serial : ''
}

describe('the server’s own certificate', () => {
  it('is a service certificate with the names of the configuration, and its CA beside it', async () => {
    const [leaf, issuer] = parseCertificates(await read('enrollment-server', 'cert.pem'))
    expect(leaf?.subjectAltNames.map(({ value }) => value)).toEqual([
      'spiffe://fleet.example/service/enrollment-server',
      'localhost',
      '127.0.0.1',
    ])
    expect(issuer?.basicConstraints?.ca).toBe(true)
    expect((await stat(testbed.file('enrollment-server', 'key.pem'))).mode & 0o777).toBe(0o600)
  })

  it('is renewed after two thirds of its life and served to new connections, while old ones stay', async () => {
    await restart(21 * 24 * hour)
    const before = await servedSerial()
    await testbed.request('/v1/ca')
    testbed.advance(19 * 24 * hour)
    await testbed.refresh()
    expect(await servedSerial()).toBe(before)
    testbed.advance(2 * 24 * hour)
    await testbed.refresh()
    const after = await servedSerial()
    expect(after).not.toBe(before)
    expect(parseCertificates(await read('enrollment-server', 'cert.pem'))[0]?.serial).toBe(after)
    expect((await testbed.request('/v1/ca')).status).toBe(200)
  })

  it('is made again when its file is gone or is not what it should be', async () => {
    const key = await read('enrollment-server', 'key.pem')
    const before = await servedSerial()
    await rm(testbed.file('enrollment-server', 'cert.pem'))
    await testbed.refresh()
    expect(await servedSerial()).not.toBe(before)
    expect(await read('enrollment-server', 'key.pem')).toBe(key)
  })
})

describe('the operator’s certificate', () => {
  it('is renewed for the same key after two thirds of a day', async () => {
    await restart(17 * hour)
    testbed.advance(17 * hour)
    await testbed.refresh()
    const operator = { cert: await read('operator', 'cert.pem'), key: await read('operator', 'key.pem') }
    expect(operator.cert).not.toBe(testbed.operator.cert)
    expect(operator.key).toBe(testbed.operator.key)
    for (const identity of [operator, testbed.operator]) {
      expect((await testbed.request('/v1/devices', { identity })).status).toBe(200)
    }
  })
})

describe('a bootstrap token', () => {
  it('is for the broker, with its names, and for the simulator', async () => {
    for (const id of ['broker', 'simulator']) {
      const token = (await read('bootstrap', `${id}.token`)).trim()
      const answer = await restEnroll(testbed, token, csrFor(id))
      expect(answer.status).toBe(201)
      const certificate = parseCertificate(String(answer.json['certificate']))
      expect(certificate.extendedKeyUsage).toEqual(['serverAuth', 'clientAuth'])
      expect(certificate.subjectAltNames).toContainEqual({
        type: 'uri',
        value: `spiffe://fleet.example/service/${id}`,
      })
    }
  })

  it('stays as it is while it is good, and after it was used', async () => {
    const token = await read('bootstrap', 'broker.token')
    await testbed.refresh()
    expect(await read('bootstrap', 'broker.token')).toBe(token)
    await restEnroll(testbed, token.trim(), csrFor('broker'))
    testbed.advance(48 * hour)
    await testbed.refresh()
    expect(await read('bootstrap', 'broker.token')).toBe(token)
  })

  it('is made again when it was used and the certificate has expired, so that the service can come back', async () => {
    await testbed.close()
    const halfAnHour = hour / 2
    testbed = await openTestbed({ serviceLifetime: halfAnHour })
    const token = await read('bootstrap', 'broker.token')
    expect((await restEnroll(testbed, token.trim(), csrFor('broker'))).status).toBe(201)
    testbed.advance(halfAnHour - 60_000)
    await testbed.refresh()
    expect(await read('bootstrap', 'broker.token')).toBe(token)
    testbed.advance(120_000)
    await testbed.refresh()
    const next = await read('bootstrap', 'broker.token')
    expect(next).not.toBe(token)
    expect(testbed.made.at(-1)).toEqual([
      'bootstrap/broker.token',
      expect.stringMatching(/^the certificate of broker expired at 2\d{3}-.*Z and its last token is used$/),
    ])
    testbed.reconnect()
    expect((await restEnroll(testbed, next.trim(), csrFor('broker'))).status).toBe(201)
  })

  it('that was never used is not made again while the service has a certificate', async () => {
    await restEnroll(testbed, (await read('bootstrap', 'broker.token')).trim(), csrFor('broker'))
    await rm(testbed.file('bootstrap', 'broker.token'))
    await testbed.refresh()
    const spare = await read('bootstrap', 'broker.token')
    testbed.advance(48 * hour)
    await testbed.refresh()
    expect(await read('bootstrap', 'broker.token')).toBe(spare)
  })

  it('is made again before it expires unused, and when its file is removed', async () => {
    const token = await read('bootstrap', 'broker.token')
    testbed.advance(17 * hour)
    await testbed.refresh()
    const renewed = await read('bootstrap', 'broker.token')
    expect(renewed).not.toBe(token)
    await rm(testbed.file('bootstrap', 'broker.token'))
    await testbed.refresh()
    expect(await read('bootstrap', 'broker.token')).not.toBe(renewed)
  })
})
