import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { freePort } from '@fleetroot/harness'
import {
  createCsr,
  createRootCertificate,
  exportPrivateKey,
  generateKeyPair,
  keySigner,
  newSerial,
  parseCertificates,
  toPem,
} from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

const list = ['device', 'list', '--all', '--limit', '1']

describe('a server that cannot be reached', () => {
  test('is down: says so, with the ways to name another', async () => {
    const url = `https://localhost:${await freePort()}`
    const ran = await session.run([...list, '--url', url])
    expect(ran).toMatchObject({ status: 4, stdout: '' })
    expect(ran.stderr).toBe(
      `fleetctl: ${url}: Nothing listens at the address of the server localhost: start it, or check host and port. Is it running? Another address: --url.\n`,
    )
    const { json } = await session.run([...list, '--json', '--url', url])
    expect(json()).toMatchObject({ error: { code: 'server-unreachable', exitStatus: 4 } })
  })

  test('does not speak TLS', async () => {
    const plain = createServer((_, response) => response.end('hello'))
    plain.listen(0, '127.0.0.1')
    await once(plain, 'listening')
    const { port } = plain.address() as AddressInfo
    const ran = await session.run([...list, '--url', `https://127.0.0.1:${port}`])
    expect(ran).toMatchObject({ status: 4, stderr: expect.stringContaining('does not speak TLS') })
    plain.close()
  })

  test('does not speak HTTP behind its TLS', async () => {
    const identity = {
      cert: readFileSync(join(session.data, 'enrollment-server/cert.pem')),
      key: readFileSync(join(session.data, 'enrollment-server/key.pem')),
    }
    const other = createTlsServer(identity, (socket) =>
      socket.on('error', () => {}).end('\u0020\u0002\u0000\u0005'),
    )
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const ran = await session.run([...list, '--url', `https://127.0.0.1:${port}`])
    expect(ran).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('does not speak HTTP; check that it is'),
    })
    other.close()
  })

  test.each(['http://localhost:1', 'localhost:8443', 'https://', 'https://user:pw@host'])(
    'has no usable address: %s',
    async (url) => {
      expect(await session.run([...list, '--url', url])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('write https://host:port'),
      })
    },
  )
})

describe('a server that is another one', () => {
  test('is not believed, though its CA has the same name', async () => {
    const signer = keySigner(generateKeyPair('P-256').privateKey)
    const other = await createRootCertificate({
      signer,
      commonName: 'Fleetroot Root CA',
      serial: newSerial(),
      now: new Date(),
    })
    const trust = session.file('other.crt')
    writeFileSync(trust, other.pem)
    const ran = await session.run([...list, '--trust', trust])
    expect(ran.status).toBe(4)
    expect(ran.stderr).toContain(
      `${trust} is what is trusted here: another server answers, or give its root with --trust`,
    )
    expect((await session.run([...list, '--json', '--trust', trust])).json()).toMatchObject({
      error: { code: 'server-untrusted' },
    })
  })

  test('is not believed, though it is a service of the same fleet with the same host name', async () => {
    const names = ['--profile', 'service', '--dns', 'localhost', '--ip', '127.0.0.1']
    expect((await session.run(['device', 'add', 'camera-gateway', ...names])).status).toBe(0)
    const made = await session.operator.call('POST', '/v1/devices/camera-gateway/tokens', {})
    const { token } = made.body as { token: string }
    const { privateKey } = generateKeyPair('P-256')
    const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: 'camera-gateway' }))
    const headers = { authorization: `Bearer ${token}` }
    const { body } = await session.operator.call('POST', '/v1/enrollments', { csr }, headers)
    const { certificate, chain } = body as { certificate: string; chain: string[] }
    const identity = { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') }
    const other = createTlsServer(identity, (socket) => socket.on('error', () => {}))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const ran = await session.run([...list, '--json', '--url', `https://localhost:${port}`])
    other.close()
    expect(ran.status).toBe(4)
    expect(ran.json()).toMatchObject({ error: { code: 'server-untrusted' } })
    expect(ran.stderr).toContain('names the service camera-gateway, not the service enrollment-server')
  })

  test('has another name', async () => {
    const ran = await session.run([...list, '--url', `https://127.0.0.2:${new URL(session.url).port}`])
    expect(ran.status).toBe(4)
  })

  test('needs a trust anchor to be told from the right one', async () => {
    const ran = await session.run([...list, '--trust', session.file('none.crt')])
    expect(ran).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^fleetctl: no trust anchor: .*none\.crt/),
    })
    const leaf = await session.run([...list, '--trust', join(session.data, 'operator/cert.pem')])
    expect(leaf).toMatchObject({ status: 1, stderr: expect.stringContaining('is not a CA') })
  })
})

describe('the operator certificate', () => {
  const copyOf = (name: string): string[] => {
    const directory = session.file(name)
    mkdirSync(directory, { recursive: true })
    for (const file of ['cert.pem', 'key.pem'])
      copyFileSync(join(session.data, 'operator', file), join(directory, file))
    return ['--cert', join(directory, 'cert.pem'), '--key', join(directory, 'key.pem')]
  }

  test('that is missing is asked for with the ways to give it', async () => {
    const ran = await session.run([
      ...list,
      '--data',
      session.file('empty'),
      '--trust',
      join(session.data, 'public/root.crt'),
    ])
    expect(ran.status).toBe(4)
    expect(ran.stderr).toMatch(
      /^fleetctl: no operator certificate: .*give both files with --cert and --key\n$/,
    )
  })

  test('that has expired says where a new one comes from', async () => {
    const ran = await session.run(list, { now: () => new Date(Date.now() + 26 * 3_600_000) })
    expect(ran.status).toBe(4)
    expect(ran.stderr).toMatch(/cert\.pem has expired\. A running enrollment server makes a new one/)
    expect(
      (await session.run([...list, '--json'], { now: () => new Date(Date.now() + 26 * 3_600_000) })).json(),
    ).toMatchObject({
      error: { code: 'operator-identity-unusable', exitStatus: 4 },
    })
  })

  test('is shown with its end', async () => {
    const { json } = await session.run(['operator', 'show', '--json'])
    expect(json()).toMatchObject({
      id: 'operator',
      role: 'operator',
      file: join(session.data, 'operator/cert.pem'),
    })
  })

  test('is renewed when asked, for the same key', async () => {
    const flags = copyOf('renewed')
    const [before] = parseCertificates(readFileSync(flags[1] ?? '', 'utf8'))
    const { status, json } = await session.run(['operator', 'renew', '--json', ...flags])
    expect(status).toBe(0)
    const [after, issuing] = parseCertificates(readFileSync(flags[1] ?? '', 'utf8'))
    expect(json()).toMatchObject({ serial: after?.serial, id: 'operator' })
    expect(after?.serial).not.toBe(before?.serial)
    expect(after?.publicKeyFingerprint).toBe(before?.publicKeyFingerprint)
    expect(issuing?.basicConstraints?.ca).toBe(true)
    expect(statSync(flags[1] ?? '').mode & 0o777).toBe(0o600)
    expect((await session.run([...list, ...flags])).status).toBe(0)
  })

  test('renews itself in time, by any command, and says nothing of it', async () => {
    const flags = copyOf('due')
    const [before] = parseCertificates(readFileSync(flags[1] ?? '', 'utf8'))
    // Two thirds of a life of 24 hours, counted from when the file was written.
    const later = new Date(Date.now() + 17 * 3_600_000)
    const early = new Date(Date.now() - 3_600_000)
    utimesSync(flags[1] ?? '', early, early)
    const ran = await session.run([...list, ...flags], { now: () => later })
    expect(ran).toMatchObject({ status: 0, stderr: 'there are more: --limit 0 shows all\n' })
    const [after] = parseCertificates(readFileSync(flags[1] ?? '', 'utf8'))
    expect(after?.serial).not.toBe(before?.serial)
  })

  test('that cannot be renewed is used as long as it is valid, with a warning', async () => {
    const flags = copyOf('stuck')
    const early = new Date(Date.now() - 3_600_000)
    utimesSync(flags[1] ?? '', early, early)
    const later = new Date(Date.now() + 17 * 3_600_000)
    const down = `https://localhost:${await freePort()}`
    const ran = await session.run([...list, ...flags, '--url', down], { now: () => later })
    expect(ran.status).toBe(4)
    expect(ran.stderr).toMatch(
      /^warning: the operator certificate \S+ could not be renewed \(.*\); it ends at 20/,
    )
  })

  test('that is revoked is refused by the server, and fleetctl says how to come to another', async () => {
    const flags = copyOf('revoked')
    const [certificate] = parseCertificates(readFileSync(flags[1] ?? '', 'utf8'))
    await session.run(['operator', 'renew'])
    await session.run(['cert', 'revoke', certificate?.serial ?? '', '--yes'])
    const ran = await session.run([...list, ...flags])
    expect(ran.status).toBe(4)
    expect(ran.stderr).toMatch(
      /^fleetctl: the server does not accept the operator certificate: .* A running enrollment/,
    )
  })

  test('whose key others can read is not used', async () => {
    const flags = copyOf('exposed')
    const key = flags[3] ?? ''
    const text = readFileSync(key)
    rmSync(key)
    writeFileSync(key, text, { mode: 0o644 })
    expect(await session.run([...list, ...flags])).toMatchObject({ status: 4 })
    expect(existsSync(key)).toBe(true)
  })
})
