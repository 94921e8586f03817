import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

judgedBy(['openssl', 'curl'], 'revocation, as openssl and curl see it', () => {
  let fleet: Fleet
  /** Issuing CA, then root. */
  let chain: string
  let plain: string
  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
    chain = fleet.file('chain.pem')
    const read = (file: string): string => readFileSync(join(fleet.data, file), 'utf8')
    writeFileSync(chain, read('ca/devices.crt') + read('public/root.crt'))
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  /** Enrolls a device, and learns from its certificate where the CRL and OCSP are. */
  async function enroll(id: string): Promise<{ file: string; serial: string }> {
    const token = await fleet.admin.token(id)
    const key = fleet.file(`${id}.key`)
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    const csr = (await succeed('openssl', ['req', '-new', '-key', key, '-subj', `/CN=${id}`])).stdout
    const authorization = `Bearer ${token}`
    const body = { csr: csr.toString() }
    const answer = await fleet.admin.call('POST', '/v1/enrollments', body, { authorization })
    const { certificate, serial } = answer.body as { certificate: string; serial: string }
    const file = fleet.file(`${id}.crt`)
    writeFileSync(file, certificate)
    const { text } = await succeed('openssl', ['x509', '-in', file, '-noout', '-ocsp_uri'])
    plain = text.trim().replace(/\/ocsp$/, '')
    return { file, serial }
  }

  const ocsp = async (file: string, args: readonly string[] = [], hash = '-sha256'): Promise<string> => {
    const { text } = await run('openssl', [
      'ocsp',
      '-issuer',
      join(fleet.data, 'ca/devices.crt'),
      '-CAfile',
      chain,
      '-url',
      `${plain}/ocsp`,
      // Of the CertIDs behind it.
      hash,
      '-cert',
      file,
      ...args,
    ])
    return text
  }

  /** The served CRL as soon as it is newer than the one before, in PEM. */
  async function fetchCrl(): Promise<string> {
    const der = fleet.file('devices.crl')
    await succeed('curl', ['--silent', '--show-error', '--fail', '--output', der, `${plain}/crl/devices.crl`])
    const pem = fleet.file('devices.crl.pem')
    await succeed('openssl', ['crl', '-inform', 'DER', '-in', der, '-out', pem])
    return pem
  }

  test.each(['-sha1', '-sha256'])(
    'openssl ocsp %s follows a certificate through hold and revocation',
    async (hash) => {
      const id = `followed${hash}`
      const { file, serial } = await enroll(id)
      expect(await ocsp(file, [], hash)).toMatch(/: good[\s\S]*Response verify OK/)
      await fleet.admin.call('POST', `/v1/devices/${id}/suspend`)
      expect(await ocsp(file, [], hash)).toMatch(
        /: revoked[\s\S]*Reason: certificateHold[\s\S]*Response verify OK/,
      )
      await fleet.admin.call('POST', `/v1/devices/${id}/resume`)
      expect(await ocsp(file, ['-no_nonce'], hash)).toMatch(/: good[\s\S]*Response verify OK/)
      await fleet.admin.call('POST', `/v1/certificates/${serial}/revoke`, { reason: 'keyCompromise' })
      expect(await ocsp(file, [], hash)).toMatch(
        /: revoked[\s\S]*Reason: keyCompromise[\s\S]*Response verify OK/,
      )
    },
  )

  test('openssl ocsp asks about several at once, and hears that a serial is unknown', async () => {
    const one = await enroll('several-1')
    const two = await enroll('several-2')
    await fleet.admin.call('POST', `/v1/certificates/${two.serial}/revoke`)
    const text = await ocsp(one.file, ['-cert', two.file, '-serial', '0x0123456789'])
    expect(text).toMatch(/Response verify OK/)
    expect(text).toMatch(/several-1\.crt: good/)
    expect(text).toMatch(/several-2\.crt: revoked/)
    expect(text).toMatch(/0x0123456789: unknown/)
  })

  test('openssl verify refuses a revoked certificate by the served CRL, and takes the others', async () => {
    const good = await enroll('kept')
    const bad = await enroll('lost')
    await fleet.admin.call('POST', `/v1/certificates/${bad.serial}/revoke`, { reason: 'keyCompromise' })
    const verify = async (file: string): Promise<string> =>
      (await run('openssl', ['verify', '-crl_check', '-CRLfile', await fetchCrl(), '-CAfile', chain, file]))
        .text
    // The list follows within about 100 ms.
    await expect.poll(() => verify(bad.file), { timeout: 60_000 }).toMatch(/certificate revoked/)
    expect(await verify(good.file)).toMatch(/: OK/)
    const { text } = await succeed('openssl', ['crl', '-in', await fetchCrl(), '-noout', '-text'])
    expect(text).toMatch(/X509v3 CRL Number/)
    expect(text).toMatch(/Key Compromise/)
  })

  test('curl keeps a CRL by its ETag', async () => {
    await enroll('any')
    const etag = fleet.file('etag')
    const args = [
      '--silent',
      '--show-error',
      '--output',
      fleet.file('etag.crl'),
      '--write-out',
      '%{http_code}',
    ]
    const url = `${plain}/crl/services.crl`
    expect((await succeed('curl', [...args, '--etag-save', etag, url])).text).toBe('200')
    expect((await succeed('curl', [...args, '--etag-compare', etag, url])).text).toBe('304')
  })

  test('curl as operator follows events and exports the audit', async () => {
    const operator = [
      '--silent',
      '--show-error',
      '--cacert',
      fleet.root,
      '--cert',
      join(fleet.data, 'operator/cert.pem'),
      '--key',
      join(fleet.data, 'operator/key.pem'),
    ]
    const url = `https://localhost:${fleet.enrollment.port}`
    // The stream has no end: curl is cut off when the first event is read.
    const follow = ['-c', 'curl "$@" | sed /^data/q', 'curl', ...operator, '--no-buffer']
    const { text } = await run('bash', [...follow, `${url}/v1/events?after=0`])
    expect(text).toMatch(/^id: 1\nevent: issued\ndata: \{"id":1,/m)
    const audit = (await succeed('curl', [...operator, `${url}/v1/audit/export`])).stdout.toString()
    expect(audit).toMatch(/^\{"record":\{.*"seq":1,.*\},"hash":"[0-9a-f]{64}"\}\n/)
  })
})
