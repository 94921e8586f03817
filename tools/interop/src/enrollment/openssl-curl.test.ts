import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeCertsOnly } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

judgedBy(['openssl', 'curl'], 'enrollment, as curl and openssl speak it', () => {
  let fleet: Fleet
  let url: string
  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
    url = `https://localhost:${fleet.enrollment.port}`
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  const curl = (...args: string[]): ReturnType<typeof run> =>
    run('curl', ['--silent', '--show-error', '--include', '--cacert', fleet.root, ...args])

  async function csr(id: string, form: 'PEM' | 'DER'): Promise<Buffer> {
    const key = fleet.file(`${id}.key`)
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    return (await succeed('openssl', ['req', '-new', '-key', key, '-subj', `/CN=${id}`, '-outform', form]))
      .stdout
  }

  const bodies: [name: string, form: 'PEM' | 'DER', encode: (csr: Buffer) => Buffer][] = [
    ['base64 on one line', 'DER', (der) => Buffer.from(der.toString('base64'))],
    [
      'base64 in lines of 64',
      'DER',
      (der) => Buffer.from(der.toString('base64').replace(/.{64}/g, '$&\r\n')),
    ],
    ['PEM', 'PEM', (pem) => pem],
    ['DER', 'DER', (der) => der],
  ]
  test.each(bodies)('simpleenroll takes a CSR as %s', async (name, form, encode) => {
    const id = name.replaceAll(/[^A-Za-z0-9]/g, '-')
    const token = await fleet.admin.token(id)
    const body = fleet.file(`${id}.body`)
    writeFileSync(body, encode(await csr(id, form)))
    const { text } = await curl(
      '--user',
      `${id}:${token}`,
      '--header',
      'Content-Type: application/pkcs10',
      '--data-binary',
      `@${body}`,
      `${url}/.well-known/est/simpleenroll`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200/)
    expect(text).toMatch(/content-type: application\/pkcs7-mime/i)
    const certificates = decodeCertsOnly(Buffer.from(text.split('\r\n\r\n')[1] ?? '', 'base64'))
    expect(certificates).toHaveLength(1)
    const { text: subject } = await succeed('openssl', ['x509', '-noout', '-subject'], {
      input: certificates[0]?.pem ?? '',
    })
    expect(subject).toContain(`CN = ${id}`)
  })

  test('without a credential the answer is 401 and says how to authenticate', async () => {
    const { text } = await curl(
      '--header',
      'Content-Type: application/pkcs10',
      '--data',
      'MIIB',
      `${url}/.well-known/est/simpleenroll`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 401/)
    expect(text).toMatch(/www-authenticate: Basic/i)
    expect(text).toMatch(/content-type: text\/plain/i)
  })

  test('a device certificate is refused where an operator is required', async () => {
    const id = 'curious'
    const token = await fleet.admin.token(id)
    const pem = (await csr(id, 'PEM')).toString()
    const { text } = await curl(
      '--oauth2-bearer',
      token,
      '--json',
      JSON.stringify({ csr: pem }),
      `${url}/v1/enrollments`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 201/)
    const answer = JSON.parse(text.split('\r\n\r\n')[1] ?? '') as { certificate: string; chain: string[] }
    writeFileSync(fleet.file('curious.crt'), [answer.certificate, ...answer.chain].join(''))
    const asDevice = ['--cert', fleet.file('curious.crt'), '--key', fleet.file('curious.key')]
    expect((await curl(...asDevice, `${url}/v1/devices`)).text).toMatch(/^HTTP\/1\.1 403/)
    const asOperator = [
      '--cert',
      join(fleet.data, 'operator/cert.pem'),
      '--key',
      join(fleet.data, 'operator/key.pem'),
    ]
    expect((await curl(...asOperator, `${url}/v1/devices`)).text).toMatch(/^HTTP\/1\.1 200/)
  })

  test.each([
    ['TLS 1.3', '-tls1_3', true],
    ['TLS 1.2', '-tls1_2', true],
    ['TLS 1.1', '-tls1_1', false],
  ])('s_client over %s', async (_, flag, accepted) => {
    const { text } = await run(
      'openssl',
      [
        's_client',
        '-connect',
        `localhost:${fleet.enrollment.port}`,
        '-CAfile',
        fleet.root,
        '-verify_return_error',
        flag,
      ],
      { input: '' },
    )
    expect(/Verify return code: 0 \(ok\)/.test(text) && !/Cipher is \(NONE\)/.test(text)).toBe(accepted)
  })

  test('s_client cannot agree on a cipher without forward secrecy', async () => {
    const { text } = await run(
      'openssl',
      [
        's_client',
        '-connect',
        `localhost:${fleet.enrollment.port}`,
        '-tls1_2',
        '-cipher',
        'AES128-GCM-SHA256:AES256-SHA',
      ],
      { input: '' },
    )
    expect(text).toMatch(/Cipher is \(NONE\)/)
  })
})
