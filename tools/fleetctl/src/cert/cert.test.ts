import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enrolled } from '../testing/enroll.ts'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

const statusOf = async (serial: string): Promise<unknown> =>
  (await session.operator.call('GET', `/v1/certificates/${serial}`)).body

describe('cert list', () => {
  test('shows the certificates of one device, by status', async () => {
    const serial = await enrolled(session, 'listed')
    const all = await session.run(['cert', 'list', '--device', 'listed'])
    expect(all.stdout).toMatch(new RegExp(`^${serial}\\tlisted\\tdevice\\tissued\\t20[^\\t]+\\t-\\n$`))
    const { json } = await session.run('cert list --device listed --status revoked --json'.split(' '))
    expect(json()).toEqual({ items: [], more: false })
  })
})

describe('cert get', () => {
  test('takes a serial number as openssl writes it', async () => {
    const serial = await enrolled(session, 'colons')
    const colons = serial.toUpperCase().replace(/..(?!$)/g, '$&:')
    const { stdout } = await session.run(['cert', 'get', colons], { isTerminal: true })
    expect(stdout).toMatch(new RegExp(`^serial +${serial}\\ndevice +colons\\nstatus +issued\\n`))
  })

  test('prints the certificate itself, which cert inspect describes', async () => {
    const serial = await enrolled(session, 'printed')
    const { stdout } = await session.run(['cert', 'get', serial, '--pem'])
    writeFileSync(session.file('printed.crt'), stdout)
    const told = await session.run(['cert', 'inspect', session.file('printed.crt')])
    expect(told.stdout).toContain(`serial        ${serial}\n`)
    expect(
      (await session.run(['cert', 'inspect', '--json', session.file('printed.crt')])).json(),
    ).toMatchObject({
      items: [{ serial, subject: 'CN=printed', isAuthority: false, extendedKeyUsage: ['clientAuth'] }],
    })
  })

  test('of a serial number that was not issued ends with 3, of none at all with 2', async () => {
    expect(await session.run(['cert', 'get', 'abcd'])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('(serial-unknown)'),
    })
    expect(await session.run(['cert', 'get', 'xyz'])).toMatchObject({
      status: 2,
      stderr: 'fleetctl: SERIAL: "xyz" is no serial number in hexadecimal\n',
    })
  })
})

describe('cert revoke', () => {
  test('revokes one, with its reason', async () => {
    const serial = await enrolled(session, 'single')
    const ran = await session.run(['cert', 'revoke', serial, '--reason', 'superseded', '--yes'])
    expect(ran).toMatchObject({ status: 0, stdout: `${serial}\trevoked\t-\n`, stderr: '' })
    expect(await statusOf(serial)).toMatchObject({ status: 'revoked', revocation: { reason: 'superseded' } })
  })

  test('of one that was not issued ends with 3', async () => {
    expect(await session.run(['cert', 'revoke', 'abcd', '--yes'])).toMatchObject({ status: 3, stdout: '' })
  })

  test('asks once for all of them, naming how many', async () => {
    const serials = [await enrolled(session, 'two-a'), await enrolled(session, 'two-b')]
    const ran = await session.run(['cert', 'revoke', ...serials], { isTerminal: true, answers: ['no'] })
    expect(ran.status).toBe(2)
    expect(ran.stderr).toMatch(/^Revoke 2 certificates for good \(unspecified\)\. \[y\/N\] /)
    expect(await statusOf(serials[0] ?? '')).toMatchObject({ status: 'issued' })
  })

  test('answers for each of a file, and ends with 1 when one was not revoked', async () => {
    const [one, two] = [await enrolled(session, 'file-a'), await enrolled(session, 'file-b')]
    const file = session.file('serials.txt')
    writeFileSync(file, `# stolen last night\n${one}\n\nABCD  from a typo\n${two} # and this\n${one}\n`)
    const ran = await session.run(['cert', 'revoke', '--from', file, '--yes', '--json'])
    expect(ran.status).toBe(1)
    expect(ran.json()).toEqual({
      revoked: 2,
      failed: 1,
      results: [
        { serial: one, status: 'revoked' },
        { serial: 'abcd', status: 'refused', code: 'serial-unknown' },
        { serial: two, status: 'revoked' },
      ],
    })
    const again = await session.run(['cert', 'revoke', '--from', '-', '--yes'], { input: `${one}\n${two}\n` })
    expect(again).toMatchObject({ status: 0, stdout: `${one}\tunchanged\t-\n${two}\tunchanged\t-\n` })
  })

  test('of many shows how far it is', async () => {
    const serials = Array.from({ length: 250 }, (_, n) => (0x1000 + n).toString(16))
    const ran = await session.run(['cert', 'revoke', '--from', '-', '--yes'], { input: serials.join('\n') })
    expect(ran.status).toBe(1)
    expect(ran.stdout.split('\n')).toHaveLength(251)
    expect(ran.stderr).toBe(
      'revoked: 100 of 250\nrevoked: 200 of 250\nrevoked: 250 of 250\n250 of 250 are not revoked\n',
    )
  })

  test('names the line that holds no serial number, and revokes nothing then', async () => {
    const serial = await enrolled(session, 'careful')
    const ran = await session.run(['cert', 'revoke', '--from', '-', '--yes'], { input: `${serial}\nhello\n` })
    expect(ran).toMatchObject({
      status: 2,
      stderr: 'fleetctl: -:2: "hello" is no serial number in hexadecimal\n',
    })
    expect(await statusOf(serial)).toMatchObject({ status: 'issued' })
  })

  test('without a serial number says how to give one', async () => {
    expect(await session.run(['cert', 'revoke', '--yes'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('or --from FILE'),
    })
  })
})

describe('cert inspect', () => {
  test('describes every certificate of a file', async () => {
    const path = join(session.data, 'operator/cert.pem')
    const { json } = await session.run(['cert', 'inspect', path, '--json'])
    expect(json()).toMatchObject({ items: [{ subject: 'CN=operator' }, { isAuthority: true }] })
    expect(await readFile(path, 'utf8')).toContain('BEGIN CERTIFICATE')
  })

  test('says what is wrong with a file', async () => {
    writeFileSync(session.file('none.txt'), 'hello')
    expect(await session.run(['cert', 'inspect', session.file('none.txt')])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('none.txt: '),
    })
    expect(await session.run(['cert', 'inspect', session.file('missing')])).toMatchObject({
      status: 1,
      stderr: `fleetctl: cannot use ${session.file('missing')}: there is no such file or directory\n`,
    })
  })
})
