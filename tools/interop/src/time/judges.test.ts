import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { clockAt } from './clock.ts'

// What is signed now, judged by openssl and gnutls at other times.

judgedBy(['faketime', 'openssl', 'curl', 'ocsptool'], 'what the enrollment server signs', () => {
  let fleet: Fleet
  let leaf: string
  let chain: string
  let crl: string
  let issuer: string
  let response: string

  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
    issuer = join(fleet.data, 'ca/devices.crt')
    chain = fleet.file('chain.pem')
    writeFileSync(chain, readFileSync(issuer, 'utf8') + readFileSync(fleet.root, 'utf8'))
    leaf = fleet.file('leaf.crt')
    const key = fleet.file('leaf.key')
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    const csr = (await succeed('openssl', ['req', '-new', '-key', key, '-subj', '/CN=timed'])).stdout
    const authorization = `Bearer ${await fleet.admin.token('timed')}`
    const body = { csr: csr.toString() }
    const answer = await fleet.admin.call('POST', '/v1/enrollments', body, { authorization })
    writeFileSync(leaf, (answer.body as { certificate: string }).certificate)
    const { text } = await succeed('openssl', ['x509', '-in', leaf, '-noout', '-ocsp_uri'])
    const plain = text.trim().replace(/\/ocsp$/, '')
    const der = fleet.file('devices.crl')
    crl = fleet.file('devices.pem')
    await succeed('curl', ['--silent', '--fail', '--output', der, `${plain}/crl/devices.crl`])
    await succeed('openssl', ['crl', '-inform', 'DER', '-in', der, '-out', crl])
    response = fleet.file('response.der')
    const question = ['-issuer', issuer, '-CAfile', chain, '-cert', leaf, '-no_nonce']
    await succeed('openssl', ['ocsp', ...question, '-url', `${plain}/ocsp`, '-respout', response])
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  const at = async (time: string, program: string, ...args: string[]): Promise<string> =>
    (await run(program, args, { env: clockAt(time) })).text

  test.each([
    ['-50m', /: OK/],
    ['-70m', /certificate is not yet valid/],
    ['+29d', /: OK/],
    ['+31d', /certificate has expired/],
  ])(
    'openssl verify at %s: a certificate is valid from an hour before it was made, for 30 days',
    async (time, verdict) => {
      expect(await at(time, 'openssl', 'verify', '-CAfile', chain, leaf)).toMatch(verdict)
    },
  )

  // OpenSSL gives a CRL no tolerance at all: a clock behind the server's refuses everybody.
  test.each([
    ['+0', /: OK/],
    ['+23h', /: OK/],
    ['+25h', /CRL has expired/],
    ['-5m', /CRL is not yet valid/],
  ])('openssl verify -crl_check at %s: a list can be used for a day', async (time, verdict) => {
    const args = ['verify', '-crl_check', '-CRLfile', crl, '-CAfile', chain, leaf]
    expect(await at(time, 'openssl', ...args)).toMatch(verdict)
  })

  // nextUpdate is ten minutes after thisUpdate, and OpenSSL allows five minutes at either end.
  test.each([
    ['+0', [], /: good/],
    ['-4m', [], /: good/],
    ['-6m', [], /status not yet valid/i],
    ['+14m', [], /: good/],
    ['+16m', [], /status expired/i],
    ['+2m', ['-status_age', '60', '-validity_period', '1'], /status too old/i],
    ['+2m', ['-status_age', '600', '-validity_period', '1'], /: good/],
  ] as const)('openssl ocsp at %s %j: an answer can be used for ten minutes', async (time, more, verdict) => {
    const args = ['-issuer', issuer, '-CAfile', chain, '-cert', leaf, '-no_nonce', '-respin', response]
    const text = await at(time, 'openssl', 'ocsp', ...args, ...more)
    expect(text).toMatch(/Response verify OK/)
    expect(text).toMatch(verdict)
    if (!verdict.test('status: good')) expect(text).toMatch(/WARNING: Status times invalid/)
  })

  test('openssl ocsp after a week no longer takes the answer of a responder whose certificate has expired', async () => {
    const args = ['-issuer', issuer, '-CAfile', chain, '-cert', leaf, '-no_nonce', '-respin', response]
    expect(await at('+8d', 'openssl', 'ocsp', ...args)).toMatch(
      /Response Verify Failure[\s\S]*certificate has expired/i,
    )
  })

  test('ocsptool reads thisUpdate and nextUpdate ten minutes apart', async () => {
    const { text } = await succeed('ocsptool', ['--response-info', '--infile', response, '--inder'])
    const time = (name: string): number => Date.parse(new RegExp(`${name}: (.*)`).exec(text)?.[1] ?? '')
    expect(time('Next Update') - time('This Update')).toBe(600_000)
  })
})
