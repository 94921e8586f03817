import { existsSync, writeFileSync } from 'node:fs'
import { parseCertificate } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

judgedBy(['pki', 'openssl'], 'EST, as strongSwan pki speaks it', () => {
  let fleet: Fleet
  let url: string
  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
    url = `https://localhost:${fleet.enrollment.port}`
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  /** A key and a CSR by strongSwan; the files are `name`.key and `name`.csr, both DER. */
  async function request(id: string, name = id): Promise<void> {
    const key = await succeed('pki', ['--gen', '--type', 'ecdsa', '--size', '256'])
    writeFileSync(fleet.file(`${name}.key`), key.stdout)
    const csr = await succeed('pki', [
      '--req',
      '--in',
      fleet.file(`${name}.key`),
      '--type',
      'ecdsa',
      '--dn',
      `CN=${id}`,
    ])
    writeFileSync(fleet.file(`${name}.csr`), csr.stdout)
  }

  const enroll = (id: string, token: string, name = id): ReturnType<typeof run> =>
    run('pki', [
      '--est',
      '--url',
      url,
      '--in',
      fleet.file(`${name}.csr`),
      '--cacert',
      fleet.root,
      '--userpass',
      `${id}:${token}`,
    ])

  test('pki --estca fetches the root and both issuing CAs', async () => {
    const out = fleet.file('ca')
    await succeed('pki', [
      '--estca',
      '--url',
      url,
      '--cacert',
      fleet.root,
      '--caout',
      out,
      '--outform',
      'pem',
    ])
    // With several certificates strongSwan numbers the files: ca, ca-1, ca-2 …
    const files = await succeed('sh', ['-c', `cat ${out}*`])
    expect(files.text.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThanOrEqual(3)
  })

  test('pki --est enrolls with a one-time token, and re-enrolls with the certificate it got', async () => {
    const token = await fleet.admin.token('swan-1')
    await request('swan-1')
    const enrolled = await enroll('swan-1', token)
    expect(enrolled.status).toBe(0)
    const first = parseCertificate(enrolled.stdout)
    writeFileSync(fleet.file('swan-1.crt'), enrolled.stdout)

    await request('swan-1', 'swan-1-next')
    const renewed = await succeed('pki', [
      '--est',
      '--url',
      url,
      '--in',
      fleet.file('swan-1-next.csr'),
      '--cacert',
      fleet.root,
      '--cert',
      fleet.file('swan-1.crt'),
      '--key',
      fleet.file('swan-1.key'),
    ])
    const second = parseCertificate(renewed.stdout)
    expect(second.subject).toEqual(first.subject)
    expect(second.serial).not.toBe(first.serial)
    expect(second.publicKeyFingerprint).not.toBe(first.publicKeyFingerprint)

    const ca = await fleet.admin.call('GET', '/v1/ca')
    const devices = (ca.body as { issuers: { devices: string[] } }).issuers.devices.join('')
    writeFileSync(fleet.file('devices.pem'), devices)
    writeFileSync(fleet.file('swan-1-next.pem'), second.pem)
    await succeed('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslclient',
      '-CAfile',
      fleet.root,
      '-untrusted',
      fleet.file('devices.pem'),
      fleet.file('swan-1-next.pem'),
    ])
  })

  test('pki --est is refused with a token that was used, and with the token of another device', async () => {
    const token = await fleet.admin.token('swan-2')
    await request('swan-2')
    expect((await enroll('swan-2', token)).status).toBe(0)
    await request('swan-2', 'swan-2-again')
    expect((await enroll('swan-2', token, 'swan-2-again')).status).not.toBe(0)

    const other = await fleet.admin.token('swan-3')
    await request('swan-4')
    expect((await enroll('swan-3', other, 'swan-4')).status).not.toBe(0)
  })

  test('pki refuses our server when it is given another root', async () => {
    const key = await succeed('pki', ['--gen', '--type', 'ecdsa', '--size', '256'])
    writeFileSync(fleet.file('other.key'), key.stdout)
    const root = await succeed('pki', [
      '--self',
      '--ca',
      '--in',
      fleet.file('other.key'),
      '--type',
      'ecdsa',
      '--dn',
      'CN=Fleetroot Root CA',
      '--outform',
      'pem',
    ])
    writeFileSync(fleet.file('other.pem'), root.stdout)
    const out = ['--caout', fleet.file('nothing'), '--outform', 'pem']
    const answer = await run('pki', ['--estca', '--url', url, '--cacert', fleet.file('other.pem'), ...out])
    expect(answer.status).not.toBe(0)
    expect(existsSync(fleet.file('nothing'))).toBe(false)
  })
})
