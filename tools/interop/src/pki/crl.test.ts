import {
  type Certificate,
  createCrl,
  CrlEntries,
  deltaEntries,
  generateKeyPair,
  keyAlgorithms,
  newSerial,
  parseCrl,
  toPem,
  revocationReasons,
  verifyCrl,
  exportPrivateKey,
  fromPem,
} from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { type Authority, issueLeaf, makeAuthority } from './authority.ts'

const now = new Date()
const hour = 3_600_000
const window = { thisUpdate: new Date(now.getTime() - hour), nextUpdate: new Date(now.getTime() + 24 * hour) }
const { publicKey } = generateKeyPair('P-256')

/** Reasons that a complete list may have. */
const reasons = revocationReasons.filter(({ name }) => name !== 'removeFromCRL')

/** What openssl calls them; certtool and openssl read the numbers alike. */
const opensslNames = [
  'Unspecified',
  'Key Compromise',
  'CA Compromise',
  'Affiliation Changed',
  'Superseded',
  'Cessation Of Operation',
  'Certificate Hold',
  'Privilege Withdrawn',
  'AA Compromise',
]

/** Writes files into a folder and asks openssl to verify a certificate with CRLs of the root and the issuing CA. */
function verifier(folder: string, authority: Authority) {
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const verify = async (certificate: Certificate, crls: string, ...flags: string[]) =>
    run('openssl', [
      'verify',
      '-x509_strict',
      '-CAfile',
      file('root.pem', authority.root.pem),
      '-untrusted',
      file('ca.pem', authority.issuer.certificate.pem),
      '-CRLfile',
      file('crls.pem', crls),
      ...flags,
      file('leaf.pem', certificate.pem),
    ])
  return { file, verify }
}

judgedBy(['openssl'], 'CRLs, judged by openssl', () => {
  test.each(keyAlgorithms)(
    'openssl verifies our CRL by a %s key and refuses what it names',
    async (algorithm) => {
      using folder = temporaryFolder()
      const authority = await makeAuthority(algorithm)
      const { file, verify } = verifier(folder.path, authority)
      const good = await issueLeaf(authority, 'device', publicKey)
      const bad = await issueLeaf(authority, 'device', publicKey)
      const entries = new CrlEntries([{ serial: bad.serial, revokedAt: now, reason: 'keyCompromise' }])
      const crl = await createCrl({ issuer: authority.issuer, number: 1n, ...window, entries })

      const ca = file('ca.pem', authority.issuer.certificate.pem)
      const list = file('ca.crl', crl.der)
      const { text } = await succeed('openssl', [
        'crl',
        '-inform',
        'DER',
        '-in',
        list,
        '-CAfile',
        ca,
        '-noout',
      ])
      expect(text).toMatch(/verify OK/)
      expect((await verify(good, crl.pem, '-crl_check')).status).toBe(0)
      const refused = await verify(bad, crl.pem, '-crl_check')
      expect(refused.status).not.toBe(0)
      expect(refused.text).toMatch(/certificate revoked/)
    },
  )

  test('openssl reads every reason, the number, the key identifier, scope and freshest CRL', async () => {
    const authority = await makeAuthority('P-256')
    const entries = reasons.map(({ name }, index) => ({
      serial: newSerial(),
      revokedAt: new Date(now.getTime() - index * 1000),
      reason: name,
      ...(name === 'keyCompromise' ? { invalidityDate: new Date('2026-01-02T03:04:05Z') } : {}),
    }))
    const crl = await createCrl({
      issuer: authority.issuer,
      number: 0x1234n,
      ...window,
      entries,
      issuingDistributionPoint: { urls: ['http://ca.example/devices.crl'], onlyContains: 'user' },
      freshestCrlUrl: 'http://ca.example/devices-delta.crl',
    })
    const { text } = await succeed('openssl', ['crl', '-noout', '-text'], { input: crl.pem })
    expect(text).toMatch(/Version 2 \(0x1\)/)
    expect(text).toMatch(/X509v3 CRL Number: \s+4660\n/)
    expect(text).toMatch(/X509v3 Authority Key Identifier/)
    expect(text).toMatch(
      /Issuing Distribution Point: critical\s+Full Name:\s+URI:http:\/\/ca\.example\/devices\.crl/,
    )
    expect(text).toMatch(/Only User Certificates/)
    expect(text).toMatch(/Freshest CRL: \s+Full Name:\s+URI:http:\/\/ca\.example\/devices-delta\.crl/)
    expect(text).toMatch(/Invalidity Date: \s+Jan {2}2 03:04:05 2026 GMT/)
    for (const name of opensslNames.slice(1)) expect(text).toContain(name)
    expect(text).not.toContain('Unspecified')
    for (const { serial } of entries) expect(text).toMatch(new RegExp(`Serial Number: 0*${serial}`, 'i'))
  })

  test('openssl checks the whole chain with the CRLs of root and issuing CA', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const { verify } = verifier(folder.path, authority)
    const leaf = await issueLeaf(authority, 'device', publicKey)
    const own = await createCrl({ issuer: authority.issuer, number: 1n, ...window, entries: [] })
    const rootIssuer = { certificate: authority.root, signer: authority.rootSigner }
    const scope = { issuingDistributionPoint: { onlyContains: 'ca' } } as const
    const root = { issuer: rootIssuer, ...window, ...scope }
    const clean = await createCrl({ ...root, number: 1n, entries: [] })
    expect((await verify(leaf, own.pem + clean.pem, '-crl_check_all')).text).toMatch(/OK/)
    const entries = [
      { serial: authority.issuer.certificate.serial, revokedAt: now, reason: 'cACompromise' as const },
    ]
    const fallen = await createCrl({ ...root, number: 2n, entries })
    expect((await verify(leaf, own.pem + fallen.pem, '-crl_check_all')).text).toMatch(/certificate revoked/)
    expect((await verify(leaf, own.pem, '-crl_check_all')).text).toMatch(/unable to get certificate CRL/)
  })

  test('openssl applies our delta: what it adds is refused, what it takes off hold is accepted', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const { verify } = verifier(folder.path, authority)
    const held = await issueLeaf(authority, 'device', publicKey)
    const later = await issueLeaf(authority, 'device', publicKey)
    const entries = new CrlEntries([{ serial: held.serial, revokedAt: now, reason: 'certificateHold' }])
    const freshestCrlUrl = 'http://ca.example/delta.crl'
    const issuer = authority.issuer
    const base = await createCrl({ issuer, number: 1n, ...window, entries, freshestCrlUrl })
    expect((await verify(held, base.pem, '-crl_check')).text).toMatch(/certificate revoked/)
    expect((await verify(later, base.pem, '-crl_check')).status).toBe(0)

    entries.delete(held.serial)
    entries.set({ serial: later.serial, revokedAt: now })
    const changes = deltaEntries(entries, [held.serial, later.serial], now)
    const delta = await createCrl({ issuer, number: 2n, baseNumber: 1n, ...window, entries: changes })
    const { text } = await succeed('openssl', ['crl', '-noout', '-text'], { input: delta.pem })
    expect(text).toMatch(/Delta CRL Indicator: critical\s+1\n/)
    expect(text).toMatch(/Remove From CRL/)
    const flags = ['-crl_check', '-use_deltas', '-extended_crl']
    expect((await verify(later, base.pem + delta.pem, ...flags)).text).toMatch(/certificate revoked/)
    expect((await verify(held, base.pem + delta.pem, ...flags)).text).toMatch(/OK/)
  })

  test('openssl refuses our CRL once it is past nextUpdate, and one by another CA', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const other = await makeAuthority('P-256')
    const { verify } = verifier(folder.path, authority)
    const leaf = await issueLeaf(authority, 'device', publicKey)
    const options = { issuer: authority.issuer, number: 1n, ...window, entries: [] }
    const stale = await createCrl({ ...options, nextUpdate: new Date(now.getTime() - hour / 2) })
    expect((await verify(leaf, stale.pem, '-crl_check')).text).toMatch(/CRL has expired/)
    const foreign = await createCrl({ ...options, issuer: other.issuer })
    expect((await verify(leaf, foreign.pem, '-crl_check')).status).not.toBe(0)
  })

  test('we read and verify the CRL that openssl makes', async () => {
    using folder = temporaryFolder()
    const { file } = verifier(folder.path, await makeAuthority('P-256'))
    const ca = await makeForeignAuthority(file)
    const [block] = fromPem((await succeed('openssl', ca.gencrl)).stdout.toString())
    const crl = parseCrl(block?.der ?? Buffer.alloc(0))
    await verifyCrl(crl, ca.certificate)
    expect([crl.number, crl.revoked.size]).toEqual([0x1000n, 3])
    const found = [...crl.revoked].map(({ serial, reason }) => [serial, reason])
    expect(found).toEqual([
      ['0f', 'certificateHold'],
      ['8001', 'keyCompromise'],
      ['8002', undefined],
    ])
  })
})

/** An `openssl ca` with three revoked certificates in its database, whose key is ours. */
async function makeForeignAuthority(file: (name: string, content: string) => string) {
  const keys = generateKeyPair('P-256')
  const authority = await makeAuthority('P-256', { keys })
  const { certificate } = authority.issuer
  const until = '361231235959Z'
  const index = file(
    'index.txt',
    [
      `R\t${until}\t261101020304Z,keyCompromise\t8001\tunknown\t/CN=a`,
      `R\t${until}\t261101020304Z\t8002\tunknown\t/CN=b`,
      `R\t${until}\t261101020304Z,holdInstruction,holdInstructionReject\t0F\tunknown\t/CN=c`,
      '',
    ].join('\n'),
  )
  const config = file(
    'ca.cnf',
    [
      '[ca]',
      'default_ca = own',
      '[own]',
      `database = ${index}`,
      `crlnumber = ${file('crlnumber', '1000\n')}`,
      `certificate = ${file('own.pem', certificate.pem)}`,
      `private_key = ${file('own.key', exportPrivateKey(keys.privateKey))}`,
      'default_md = sha256',
      'default_crl_days = 7',
      'crl_extensions = crl',
      '[crl]',
      'authorityKeyIdentifier = keyid:always',
      '',
    ].join('\n'),
  )
  return { certificate, gencrl: ['ca', '-gencrl', '-config', config] }
}

judgedBy(['certtool'], 'CRLs, judged by GnuTLS certtool', () => {
  test.each(keyAlgorithms)('certtool verifies our CRL by a %s key and reads it', async (algorithm) => {
    using folder = temporaryFolder()
    const authority = await makeAuthority(algorithm)
    const { file } = verifier(folder.path, authority)
    const entries = reasons.map(({ name }) => ({ serial: newSerial(), revokedAt: now, reason: name }))
    const crl = await createCrl({ issuer: authority.issuer, number: 1n, ...window, entries })
    const trust = file('ca.pem', authority.issuer.certificate.pem)
    const verify = (pem: string) =>
      run('certtool', ['--verify-crl', '--load-ca-certificate', trust], { input: pem })
    expect((await verify(crl.pem)).text).toMatch(/Verification output: Verified/)
    const changed = Buffer.from(crl.der)
    const at = changed.indexOf(entries[0]?.serial ?? '', 'hex')
    changed[at + 3] = (changed[at + 3] ?? 0) ^ 1
    const refused = await verify(toPem('X509 CRL', changed))
    expect(refused.text).toMatch(/Verification output: Not verified/)
    const { text } = await succeed('certtool', ['--crl-info', '--inder'], { input: crl.der })
    expect(text).toMatch(/Version: 2/)
    expect(text).toMatch(/CRL Number/)
    expect(text).toMatch(new RegExp(`Revoked certificates \\(${entries.length}\\)`))
    for (const { serial } of entries) expect(text).toContain(serial)
  })
})
