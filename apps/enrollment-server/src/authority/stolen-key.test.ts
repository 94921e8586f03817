import { readFile } from 'node:fs/promises'
import {
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  issueCertificate,
  keySigner,
  newSerial,
  parseCertificate,
  parseDeviceId,
} from '@fleetroot/pki'
import { afterEach, describe, expect, it } from 'vitest'
import { bundleOf, changeCa, parsed } from '../testing/authority.ts'
import { csrFor, enrolledDevice } from '../testing/enroll.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
afterEach(() => testbed.close())

/** What a thief of `ca/<id>.key` makes of it, perhaps under the name and key identifier of another CA. */
async function forge(
  id: 'devices' | 'services',
  profile: 'device' | 'operator',
  subject: string,
  as?: { subjectDer: Buffer; subjectKeyId: string | undefined },
): Promise<Identity> {
  const signer = keySigner(
    importPrivateKey(await readFile(testbed.file(`ca/${id}.key`), 'utf8'), 'a passphrase for tests'),
  )
  const own = parseCertificate(await readFile(testbed.file(`ca/${id}.crt`), 'utf8'))
  const { publicKey, privateKey } = generateKeyPair('P-256')
  const certificate = await issueCertificate({
    profile: defaultProfiles[profile],
    issuer: { certificate: { ...own, ...as }, signer },
    subject: { id: parseDeviceId(subject), trustDomain: 'fleet.example' },
    publicKey,
    serial: newSerial(),
    now: new Date(),
  })
  return { key: exportPrivateKey(privateKey), cert: certificate.pem + own.pem }
}

const renew = (identity: Identity, id: string) =>
  testbed.request('/.well-known/est/simplereenroll', {
    method: 'POST',
    headers: { 'content-type': 'application/pkcs10' },
    body: csrFor(id),
    identity,
  })
const refused = (body: RegExp) => ({ status: 403, body: expect.stringMatching(body) as unknown })

describe('a thief of the key of an issuing CA', () => {
  it('gets nothing here even while the CA is trusted: the server knows what it issued', async () => {
    testbed = await openTestbed()
    await enrolledDevice(testbed, 'pump-1')
    await changeCa(testbed, 'rotations', { kind: 'devices', introduceForSeconds: 0 })
    const device = await forge('devices', 'device', 'pump-1')
    expect(await renew(device, 'pump-1')).toMatchObject(refused(/^certificate-inactive: .*never issued it/))
    const operator = await forge('services', 'operator', 'operator')
    expect(await changeCa(testbed, 'rotations', { kind: 'root' }, { identity: operator })).toMatchObject({
      status: 403,
      json: { code: 'certificate-inactive' },
    })
  })

  it('cannot make an operator with the key of the Devices CA', async () => {
    testbed = await openTestbed()
    const operator = await forge('devices', 'operator', 'operator')
    expect(await changeCa(testbed, 'rotations', { kind: 'root' }, { identity: operator })).toMatchObject({
      status: 403,
      json: { code: 'certificate-refused', detail: expect.stringMatching(/may not issue the role operator/) },
    })
  })

  it('is nobody when the CA is retired, under its own name and under that of its successor', async () => {
    testbed = await openTestbed()
    await enrolledDevice(testbed, 'pump-1')
    await changeCa(testbed, 'rotations', { kind: 'devices', introduceForSeconds: 0 })
    const [successor] = parsed((await bundleOf(testbed)).issuers.devices)
    if (!successor) throw new Error('there is a successor')
    const { subjectDer, subjectKeyId } = successor
    await changeCa(testbed, 'devices/retire', { force: true })
    // Both are below the root that everybody trusts, which is why the name alone is not enough.
    const plain = await forge('devices', 'device', 'pump-1')
    expect(await renew(plain, 'pump-1')).toMatchObject(refused(/^certificate-refused/))
    const disguised = await forge('devices', 'device', 'pump-1', { subjectDer, subjectKeyId })
    expect(await renew(disguised, 'pump-1')).toMatchObject(refused(/^certificate-refused/))
  })
})

describe('a thief of an operator certificate', () => {
  it('leaves a record of each attempt to change whom the fleet trusts', async () => {
    testbed = await openTestbed()
    await changeCa(testbed, 'roots', { certificates: [testbed.root] })
    await changeCa(testbed, 'devices/retire', { force: true })
    const records = async () => {
      const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
      return (json['items'] as { record: Record<string, unknown> }[])
        .map(({ record }) => record)
        .filter(({ type, operator }) => type === 'refused' && operator === 'operator')
    }
    await expect.poll(async () => (await records()).length, { timeout: 60_000 }).toBe(2)
    expect(await records()).toMatchObject([
      { code: 'authority-refused', path: '/v1/ca/roots' },
      { code: 'authority-issuing', path: '/v1/ca/:id/retire' },
    ])
  })
})
