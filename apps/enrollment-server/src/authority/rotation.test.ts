import { readFile, rename } from 'node:fs/promises'
import { decodeCertsOnly, formatName, isIssuedBy, parseCertificates } from '@fleetroot/pki'
import { afterEach, describe, expect, it } from 'vitest'
import { bundleOf, changeCa, parsed, statesOf } from '../testing/authority.ts'
import { csrFor, enrolledDevice, restEnroll } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { command } from '../testing/operator.ts'
import { createRequester } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
afterEach(() => testbed.close())

const minute = 60_000
const issuerOf = async (id: string) => {
  const token = await testbed.token(id)
  const { json } = await restEnroll(testbed, token, csrFor(id))
  const { json: record } = await testbed.request(`/v1/certificates/${String(json['serial'])}`, {
    identity: testbed.operator,
  })
  return { issuer: record['issuer'], chain: json['chain'] as string[] }
}

describe('a new issuing CA', () => {
  it('is introduced, issues when its time has come, and the one before it goes on until it is retired', async () => {
    testbed = await openTestbed()
    const { identity, certificate } = await enrolledDevice(testbed, 'before')
    const answer = await changeCa(testbed, 'rotations', { kind: 'devices' })
    expect(answer).toMatchObject({
      status: 201,
      json: { id: 'devices-2', kind: 'devices', state: 'introduced' },
    })
    expect(Date.parse(String(answer.json['activatesAt']))).toBeGreaterThan(Date.now() + 9 * minute)

    // Everybody is told to trust it, and it does not issue yet.
    const introduced = await bundleOf(testbed)
    expect(parsed(introduced.issuers.devices).map(({ subject }) => formatName(subject))).toEqual([
      'CN=Fleetroot Devices CA',
      'CN=Fleetroot Devices CA 2',
    ])
    expect(await statesOf(testbed)).toMatchObject({ devices: 'issuing', 'devices-2': 'introduced' })
    expect(await issuerOf('meanwhile')).toMatchObject({ issuer: 'devices' })

    testbed.advance(11 * minute)
    await testbed.refresh()
    expect(await statesOf(testbed)).toMatchObject({ devices: 'retiring', 'devices-2': 'issuing' })
    const after = await issuerOf('after')
    expect(after.issuer).toBe('devices-2')
    expect(after.chain).toEqual([(await bundleOf(testbed)).issuers.devices[0]])

    // What the old one issued proves an identity still: it renews itself, from the new one.
    const renewal = () =>
      testbed.request('/.well-known/est/simplereenroll', {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: csrFor('before'),
        identity,
      })
    const renewed = await renewal()
    expect(renewed.status).toBe(200)
    const [next] = decodeCertsOnly(Buffer.from(renewed.body, 'base64'))
    expect(next?.authorityKeyId).not.toBe(certificate.authorityKeyId)

    expect(await changeCa(testbed, 'devices/retire')).toMatchObject({
      status: 409,
      json: { code: 'authority-in-use', detail: expect.stringMatching(/^id: 1 certificates of devices/) },
    })
    expect(await changeCa(testbed, 'devices/retire', { force: true })).toMatchObject({
      status: 200,
      json: { id: 'devices', state: 'retired' },
    })
    expect(await statesOf(testbed)).not.toHaveProperty('devices')
    // On the connection that was open all the time, and on a new one.
    for (const _ of [1, 2]) {
      expect(await renewal()).toMatchObject({
        status: 403,
        body: expect.stringMatching(/^certificate-refused/),
      })
      testbed.reconnect()
    }
    expect((await changeCa(testbed, 'devices/retire')).json['state']).toBe('retired')
  })

  it('issues at once when nobody is to wait, and the server itself moves to a new Services CA', async () => {
    testbed = await openTestbed()
    const answer = await changeCa(testbed, 'rotations', { kind: 'services', introduceForSeconds: 0 })
    expect(answer).toMatchObject({ status: 201, json: { id: 'services-2', state: 'issuing' } })
    expect(answer.json).not.toHaveProperty('activatesAt')
    const [leaf, issuer] = parseCertificates(
      await readFile(testbed.file('enrollment-server/cert.pem'), 'utf8'),
    )
    expect(issuer && formatName(issuer.subject)).toBe('CN=Fleetroot Services CA 2')
    expect(leaf && issuer && isIssuedBy(leaf, issuer)).toBe(true)
    // The operator's old certificate is good, and so is the new one on the disk.
    const operator = {
      cert: await readFile(testbed.file('operator/cert.pem'), 'utf8'),
      key: await readFile(testbed.file('operator/key.pem'), 'utf8'),
    }
    expect(operator.cert).not.toBe(testbed.operator.cert)
    for (const identity of [testbed.operator, operator]) {
      testbed.reconnect()
      expect((await testbed.request('/v1/devices', { identity })).status).toBe(200)
    }
  })

  it('can be given up before it issues, and its id is used up', async () => {
    testbed = await openTestbed()
    await changeCa(testbed, 'rotations', { kind: 'devices' })
    expect(await changeCa(testbed, 'rotations', { kind: 'devices' })).toMatchObject({
      status: 409,
      json: { code: 'rotation-pending' },
    })
    expect((await changeCa(testbed, 'devices-2/retire')).json['state']).toBe('retired')
    expect(await changeCa(testbed, 'devices-2/activate')).toMatchObject({
      status: 409,
      json: { code: 'authority-state', detail: 'id: devices-2 is retired, not introduced' },
    })
    expect((await changeCa(testbed, 'rotations', { kind: 'devices' })).json['id']).toBe('devices-3')
  })

  it('has its list, its OCSP responder and its certificate under its id, and keeps them while it is retiring', async () => {
    testbed = await openTestbed()
    const { certificate } = await enrolledDevice(testbed, 'one')
    await changeCa(testbed, 'rotations', { kind: 'devices', introduceForSeconds: 0 })
    const { certificate: other } = await enrolledDevice(testbed, 'two')
    expect(other.crlUrls[0]).toMatch(/\/crl\/devices-2\.crl$/)
    expect(other.caIssuersUrls[0]).toMatch(/\/ca\/devices-2\.crt$/)
    expect(certificate.crlUrls[0]).toMatch(/\/crl\/devices\.crl$/)
    for (const id of ['devices', 'devices-2']) {
      expect((await testbed.request(`/crl/${id}.crl`)).status).toBe(200)
      expect((await testbed.request(`/crl/${id}-delta.crl`)).json['detail']).toMatch(/is small$/)
      const file = await fetch(`http://127.0.0.1:${testbed.httpPort}/ca/${id}.crt`)
      expect(file.status).toBe(200)
    }
    for (const path of ['/crl/devices-3.crl', '/crl/root.crl', '/crl/devices-2.crt', '/crl/x.crl']) {
      expect((await testbed.request(path)).status).toBe(404)
    }
    await changeCa(testbed, 'devices/retire', { force: true })
    expect((await testbed.request('/crl/devices.crl')).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${testbed.httpPort}/ca/devices.crt`)).status).toBe(404)
  })

  it('is told to subscribers and in the audit, once, with who did it', async () => {
    testbed = await openTestbed()
    const subscriber = await subscribe(testbed, testbed.operator)
    await changeCa(testbed, 'rotations', { kind: 'devices', introduceForSeconds: 0 })
    // The first is the responder of the new CA.
    const events = await subscriber.take(2)
    const event = events.find(({ type }) => type === 'authorities')
    subscriber.close()
    expect(event?.data).toEqual({
      id: event?.id,
      type: 'authorities',
      at: expect.stringMatching(/Z$/),
      certificates: [],
    })
    const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    const records = (json['items'] as { record: Record<string, unknown> }[]).map(({ record }) => record)
    const about = records.filter(({ type }) => String(type).startsWith('authority-'))
    expect(about).toMatchObject([
      { type: 'authority-introduced', authority: 'devices-2', kind: 'devices', by: { kind: 'operator' } },
      { type: 'authority-activated', authority: 'devices-2', by: { kind: 'operator', id: 'operator' } },
    ])
  })
})

describe('a new root', () => {
  it('is certified by the old one and certifies what there is; leaves stay valid below both', async () => {
    testbed = await openTestbed()
    const { certificate: leaf } = await enrolledDevice(testbed, 'before')
    await changeCa(testbed, 'rotations', { kind: 'root' })
    const introduced = await bundleOf(testbed)
    const [oldRoot, newRoot] = parsed(introduced.roots)
    if (!oldRoot || !newRoot) throw new Error('two roots were expected')
    expect(introduced.root).toBe(oldRoot.pem)
    expect(await readFile(testbed.file('public/root.crt'), 'utf8')).toBe(introduced.roots.join(''))
    const names = parsed(introduced.cross).map(({ subject, issuer }) => [
      formatName(subject),
      formatName(issuer),
    ])
    const [one, two] = ['CN=Fleetroot Root CA', 'CN=Fleetroot Root CA 2']
    expect(names).toEqual([
      [one, two],
      [two, one],
      ['CN=Fleetroot Devices CA', two],
      ['CN=Fleetroot Services CA', two],
    ])
    const est = await testbed.request('/.well-known/est/cacerts')
    expect(decodeCertsOnly(Buffer.from(est.body, 'base64'))).toHaveLength(2 + 4 + 2)

    await changeCa(testbed, 'root-2/activate')
    const active = await bundleOf(testbed)
    expect(active.roots).toEqual([newRoot.pem, oldRoot.pem])
    const [devices] = parsed(active.issuers.devices)
    expect(devices && isIssuedBy(devices, newRoot) && isIssuedBy(leaf, devices)).toBe(true)
    expect(await statesOf(testbed)).toEqual({
      'root-2': 'issuing',
      root: 'retiring',
      devices: 'issuing',
      services: 'issuing',
    })
    // The server sends what leads to either root.
    const chain = parseCertificates(await readFile(testbed.file('enrollment-server/cert.pem'), 'utf8'))
    expect(chain.map(({ subject, issuer }) => [formatName(subject), formatName(issuer)])).toEqual([
      ['CN=enrollment-server', 'CN=Fleetroot Services CA'],
      ['CN=Fleetroot Services CA', two],
      [two, one],
    ])
    expect((await issuerOf('after')).chain).toHaveLength(2)
    for (const root of [oldRoot.pem, newRoot.pem]) expect(await reaches(root)).toBe(true)

    // Devices that were not here since know only the old one.
    expect(await changeCa(testbed, 'root/retire')).toMatchObject({
      status: 409,
      json: { code: 'authority-in-use', detail: expect.stringMatching(/know only root/) },
    })
    expect((await changeCa(testbed, 'root/retire', { force: true })).status).toBe(200)
    const alone = await bundleOf(testbed)
    expect([alone.roots, alone.cross]).toEqual([[newRoot.pem], []])
    expect(await readFile(testbed.file('public/root.crt'), 'utf8')).toBe(newRoot.pem)
    expect(await reaches(newRoot.pem)).toBe(true)
    expect(await reaches(oldRoot.pem)).toBe(false)
  })

  it('is not made while the old one is away, nor is an issuing CA, and the server runs without it', async () => {
    testbed = await openTestbed()
    await rename(testbed.file('ca/root.key'), testbed.file('elsewhere'))
    for (const kind of ['root', 'devices']) {
      expect(await changeCa(testbed, 'rotations', { kind })).toMatchObject({
        status: 409,
        json: { code: 'root-key-absent', detail: expect.stringContaining('fleetctl ca rotate --root-key') },
      })
    }
    expect(await statesOf(testbed)).toEqual({ root: 'issuing', devices: 'issuing', services: 'issuing' })
    expect(await issuerOf('one')).toMatchObject({ issuer: 'devices' })
  })

  it('signs issuing CAs together with the old one until it takes over, then alone', async () => {
    testbed = await openTestbed()
    await changeCa(testbed, 'rotations', { kind: 'root' })
    await changeCa(testbed, 'rotations', { kind: 'devices', introduceForSeconds: 0 })
    await changeCa(testbed, 'root-2/activate')
    await changeCa(testbed, 'rotations', { kind: 'services', introduceForSeconds: 0 })
    const { root, issuers } = await bundleOf(testbed)
    const [newRoot] = parsed([root])
    for (const issuer of parsed([...issuers.devices, ...issuers.services])) {
      expect(newRoot && isIssuedBy(issuer, newRoot)).toBe(true)
    }
    expect(await changeCa(testbed, 'rotations', { kind: 'root' })).toMatchObject({
      status: 409,
      json: { code: 'rotation-pending', detail: 'kind: root is still retiring; retire it first' },
    })
  })
})

/** True if a client that trusts this root alone gets an answer. */
async function reaches(root: string): Promise<boolean> {
  const client = createRequester(testbed.port, root)
  try {
    return (await client.request('/v1/ca')).status === 200
  } catch {
    return false
  } finally {
    client.close()
  }
}

describe('who may change CAs', () => {
  it('is an operator alone', async () => {
    testbed = await openTestbed()
    const { identity } = await enrolledDevice(testbed, 'curious')
    const service = await enrolledDevice(testbed, 'service-1', { profile: 'service' })
    const bodies: Record<string, object> = {
      rotations: { kind: 'devices', introduceForSeconds: 0 },
      requests: { kind: 'devices' },
      roots: { certificates: [testbed.root] },
      'devices/activate': {},
      'devices/retire': { force: true },
    }
    for (const [path, json] of Object.entries(bodies)) {
      for (const who of [identity, service.identity]) {
        expect(await changeCa(testbed, path, json, { identity: who })).toMatchObject({
          status: 403,
          json: { code: 'role-not-allowed' },
        })
      }
      const anonymous = await testbed.request(`/v1/ca/${path}`, { method: 'POST', json })
      expect(anonymous.json['code']).toBe('certificate-required')
    }
    expect(await statesOf(testbed)).toEqual({ root: 'issuing', devices: 'issuing', services: 'issuing' })
  })

  it('may not retire what issues, nor change what there is not', async () => {
    testbed = await openTestbed()
    for (const id of ['devices', 'services', 'root']) {
      expect((await changeCa(testbed, `${id}/retire`, { force: true })).json['code']).toBe(
        'authority-issuing',
      )
      expect((await changeCa(testbed, `${id}/activate`)).json['state']).toBe('issuing')
    }
    expect((await changeCa(testbed, 'devices-2/retire')).json['code']).toBe('authority-unknown')
    for (const id of ['devices-1', 'devices-02', 'leaf', 'devices-9999999']) {
      expect((await changeCa(testbed, `${id}/activate`)).json['code']).toBe('field-invalid')
    }
    expect((await changeCa(testbed, 'rotations', { kind: 'x' })).json['detail']).toMatch(/body.kind: must be/)
    const tooLong = { kind: 'devices', introduceForSeconds: 1e9 }
    expect((await changeCa(testbed, 'rotations', tooLong)).json['detail']).toMatch(/at most a year/)
    expect((await command(testbed, '/v1/ca/rotations')).json['code']).toBe('body-missing')
  })
})
