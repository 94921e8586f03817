import { readFile, rename, writeFile } from 'node:fs/promises'
import {
  type Certificate,
  createCrossCertificate,
  createIssuingCertificate,
  createRootCertificate,
  formatName,
  fromPem,
  generateKeyPair,
  importPrivateKey,
  isIssuedBy,
  type Issuer,
  keySigner,
  newSerial,
  parseCertificate,
  parseCsr,
  soleCommonName,
} from '@fleetroot/pki'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bundleOf, changeCa, parsed, statesOf } from '../testing/authority.ts'
import { enrolledDevice } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
/** The root with its key, which is not on the server. */
let root: Issuer
beforeEach(async () => {
  testbed = await openTestbed()
  const pem = await readFile(testbed.file('ca/root.key'), 'utf8')
  await rename(testbed.file('ca/root.key'), testbed.file('elsewhere.key'))
  const key = importPrivateKey(pem, 'a passphrase for tests')
  root = { certificate: parseCertificate(testbed.root), signer: keySigner(key) }
})
afterEach(() => testbed.close())

const now = () => new Date()
const send = (path: string, certificates: readonly Certificate[], more: object = {}, method = 'POST') =>
  changeCa(testbed, path, { certificates: certificates.map(({ pem }) => pem), ...more }, { method })
const refused = (detail: RegExp, code = 'authority-refused') => ({
  json: { code, detail: expect.stringMatching(detail) },
})

async function newRoot(commonName = 'Fleetroot Root CA 2', signer = newSigner()): Promise<Issuer> {
  const certificate = await createRootCertificate({ signer, commonName, serial: newSerial(), now: now() })
  return { certificate, signer }
}
const newSigner = () => keySigner(generateKeyPair('P-256').privateKey)
const certify = (issuer: Issuer, subject: Certificate) =>
  createCrossCertificate({ issuer, subject, serial: newSerial(), now: now() })

/** What `POST /v1/ca/roots` takes. */
async function rollover(
  next: Issuer,
): Promise<Record<'self' | 'newWithOld' | 'oldWithNew' | 'devices' | 'services', Certificate>> {
  const { issuers } = await bundleOf(testbed)
  const [devices, services] = parsed([...issuers.devices, ...issuers.services])
  if (!devices || !services) throw new Error('two issuing CAs were expected')
  return {
    self: next.certificate,
    newWithOld: await certify(root, next.certificate),
    oldWithNew: await certify(next, root.certificate),
    devices: await certify(next, devices),
    services: await certify(next, services),
  }
}

describe('an issuing CA under a root that is elsewhere', () => {
  async function request() {
    const { status, json } = await changeCa(testbed, 'requests', { kind: 'devices' })
    expect(status).toBe(201)
    const [block] = fromPem(String(json['csr']))
    const csr = await parseCsr(block?.der ?? Buffer.alloc(0))
    const name = soleCommonName(csr.subject)
    if ('refused' in name) throw new Error(name.detail)
    return { id: String(json['id']), csr, commonName: name.commonName }
  }
  const sign = (
    { csr, commonName }: Awaited<ReturnType<typeof request>>,
    {
      issuer = root,
      ...other
    }: { issuer?: Issuer; commonName?: string; publicKey?: typeof csr.publicKey } = {},
  ) =>
    createIssuingCertificate({
      issuer,
      publicKey: csr.publicKey,
      commonName,
      serial: newSerial(),
      now: now(),
      ...other,
    })

  it('gets its key on the server, its certificate from there, and is introduced', async () => {
    const asked = await request()
    expect([asked.id, asked.commonName]).toEqual(['devices-2', 'Fleetroot Devices CA 2'])
    // An answer that was lost: the same key is asked for again.
    expect((await request()).csr.publicKeyFingerprint).toBe(asked.csr.publicKeyFingerprint)
    expect(await statesOf(testbed)).not.toHaveProperty('devices-2')

    const certificate = await sign(asked)
    const put = () => send('requests/devices-2', [certificate], { introduceForSeconds: 0 }, 'PUT')
    expect(await put()).toMatchObject({ status: 200, json: { id: 'devices-2', state: 'issuing' } })
    expect(await put()).toMatchObject({ status: 200, json: { id: 'devices-2', state: 'issuing' } })
    const { certificate: leaf } = await enrolledDevice(testbed, 'one')
    expect(isIssuedBy(leaf, certificate)).toBe(true)
    expect((await bundleOf(testbed)).issuers.devices[0]).toBe(certificate.pem)
  })

  it('is not introduced with a certificate that is not exactly what it must be', async () => {
    const asked = await request()
    const foreign = await newRoot('Fleetroot Root CA')
    const { publicKey } = generateKeyPair('P-256')
    const cases: [Certificate[], RegExp][] = [
      [[await sign(asked, { publicKey })], /has not the key of devices-2/],
      [[await sign(asked, { commonName: 'Another CA' })], /has not the subject of the request/],
      [[await sign(asked, { issuer: foreign })], /is signed by no root that is trusted here/],
      [
        [
          await createRootCertificate({
            signer: newSigner(),
            commonName: 'x',
            serial: newSerial(),
            now: now(),
          }),
        ],
        /key of devices-2/,
      ],
      [[await sign(asked), await sign(asked)], /is there more than once/],
    ]
    for (const [certificates, detail] of cases) {
      expect(await send('requests/devices-2', certificates, {}, 'PUT')).toMatchObject(refused(detail))
    }
    expect(await send('requests/devices-3', [await sign(asked)], {}, 'PUT')).toMatchObject(
      refused(/there is no CA/, 'authority-unknown'),
    )
    expect(await send('requests/devices', [await sign(asked)], {}, 'PUT')).toMatchObject(
      refused(/is issuing, not requested/, 'authority-state'),
    )
    for (const certificates of [[], ['no PEM'], [testbed.root + testbed.root]]) {
      const answer = await changeCa(testbed, 'requests/devices-2', { certificates }, { method: 'PUT' })
      expect(answer).toMatchObject({ status: 400, json: { code: 'field-invalid' } })
    }
    expect(await statesOf(testbed)).toEqual({ root: 'issuing', devices: 'issuing', services: 'issuing' })
  })

  it('can be given up before it was signed', async () => {
    const asked = await request()
    expect((await changeCa(testbed, 'devices-2/retire')).json).toEqual({
      id: 'devices-2',
      kind: 'devices',
      state: 'retired',
    })
    expect(await send('requests/devices-2', [await sign(asked)], {}, 'PUT')).toMatchObject(
      refused(/is retired, not requested/, 'authority-state'),
    )
    expect((await request()).id).toBe('devices-3')
  })

  it('must be signed by a root that is introduced as well, which would not know it otherwise', async () => {
    const next = await newRoot()
    expect((await send('roots', Object.values(await rollover(next)))).status).toBe(201)
    const asked = await request()
    const byOld = await sign(asked)
    expect(await send('requests/devices-2', [byOld], {}, 'PUT')).toMatchObject(refused(/that root-2 signed/))
    const both = [await sign(asked, { issuer: next }), byOld]
    expect((await send('requests/devices-2', both, { introduceForSeconds: 0 }, 'PUT')).status).toBe(200)
    expect((await changeCa(testbed, 'root-2/activate')).json['state']).toBe('issuing')
    const { root: current, issuers } = await bundleOf(testbed)
    expect(current).toBe(next.certificate.pem)
    for (const one of parsed([...issuers.devices, ...issuers.services])) {
      expect(isIssuedBy(one, next.certificate)).toBe(true)
    }
  })
})

describe('a root that was made elsewhere', () => {
  it('is introduced because the current one certified it', async () => {
    const next = await newRoot()
    const certificates = Object.values(await rollover(next))
    const post = () => send('roots', certificates.toReversed(), { introduceForSeconds: 3600 })
    expect(await post()).toMatchObject({
      status: 201,
      json: { id: 'root-2', kind: 'root', state: 'introduced' },
    })
    // An answer that was lost.
    expect(await post()).toMatchObject({ status: 201, json: { id: 'root-2', state: 'introduced' } })
    expect((await bundleOf(testbed)).roots).toEqual([root.certificate.pem, next.certificate.pem])
    expect((await bundleOf(testbed)).cross).toHaveLength(4)
    await changeCa(testbed, 'root-2/activate')
    await changeCa(testbed, 'root/retire', { force: true })
    expect(await statesOf(testbed)).toEqual({ 'root-2': 'issuing', devices: 'issuing', services: 'issuing' })
  })

  it('is not believed without the signature of the current root, whatever else comes with it', async () => {
    const next = await newRoot()
    const parts = await rollover(next)
    // A thief of an operator certificate has a root of the same name, and everything that it can sign.
    const thief = await newRoot('Fleetroot Root CA')
    const forged = await certify(thief, next.certificate)
    const { self, newWithOld, oldWithNew, devices, services } = parts
    const others = [oldWithNew, devices, services]
    const [first] = others
    const impostor = await newRoot()
    const cases: [Certificate[], RegExp][] = [
      [[self, ...others], /must have CN=Fleetroot Root CA 2 as signed by CN=Fleetroot Root CA$/],
      [[self, forged, ...others], /must have CN=Fleetroot Root CA 2 as signed by CN=Fleetroot Root CA$/],
      [[impostor.certificate, newWithOld, ...others], /must have CN=Fleetroot Root CA 2 as signed by/],
      [[newWithOld, ...others], /must have the new root, signed by itself/],
      [[self, newWithOld, oldWithNew, devices], /must have CN=Fleetroot Services CA as signed by/],
      [[self, newWithOld, devices, services], /must have CN=Fleetroot Root CA as signed by/],
      [[self, newWithOld, ...others, first ?? self], /is not asked for/],
      [[self, newWithOld, ...others, thief.certificate], /is a second root; send one/],
      [[root.certificate, newWithOld, ...others], /has a key that a CA here has, or had/],
    ]
    for (const [certificates, detail] of cases) {
      expect(await send('roots', certificates)).toMatchObject(refused(detail))
    }
    const named = await newRoot('Fleetroot Devices CA')
    expect(await send('roots', [named.certificate])).toMatchObject(refused(/the name of another CA/))
    expect(await statesOf(testbed)).toEqual({ root: 'issuing', devices: 'issuing', services: 'issuing' })
    expect(formatName(root.certificate.subject)).toBe('CN=Fleetroot Root CA')
  })

  it('does not take the place of a key of an issuing CA', async () => {
    const pem = await readFile(testbed.file('ca/devices.key'), 'utf8')
    const stolen = await newRoot(
      'Fleetroot Root CA 2',
      keySigner(importPrivateKey(pem, 'a passphrase for tests')),
    )
    expect(await send('roots', [stolen.certificate, await certify(root, stolen.certificate)])).toMatchObject(
      refused(/has a key that a CA here has, or had/),
    )
  })
})

describe('the list of CAs on the disk', () => {
  it('that somebody damaged while the server runs changes nothing, and is said', async () => {
    const before = await bundleOf(testbed)
    await writeFile(testbed.file('ca/authorities.json'), '{"version": 1}', { mode: 0o600 })
    expect((await testbed.request('/v1/ca')).status).toBe(500)
    await expect(testbed.refresh()).rejects.toThrow(/authorities\.json is damaged/)
    // What the server knows goes on.
    const { certificate } = await enrolledDevice(testbed, 'one')
    expect(isIssuedBy(certificate, parsed(before.issuers.devices)[0] ?? certificate)).toBe(true)
  })
})
