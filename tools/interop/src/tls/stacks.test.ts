import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { makeRoot } from '@fleetroot/pki/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { succeed } from '../run.ts'

// TLS stacks that are not OpenSSL, each as client of both servers with a certificate of a device. mbedTLS, which has TLS 1.2
// alone in Debian, is in firmware/.

judgedBy(['gnutls-cli', 'cc', 'libc', 'wolfssl'], 'clients with', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ broker: true })
    const source = join(import.meta.dirname, 'wolfssl-client.c')
    await succeed('cc', ['-Wall', '-Wextra', '-Werror', '-o', fleet.file('wolfssl'), source, '-lwolfssl'])
    const { privateKey } = generateKeyPair('P-256')
    const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: 'board' }))
    const authorization = `Bearer ${await fleet.admin.token('board')}`
    const { body } = await fleet.admin.call('POST', '/v1/enrollments', { csr }, { authorization })
    const { certificate, chain } = body as { certificate: string; chain: string[] }
    writeFileSync(fleet.file('board.crt'), [certificate, ...chain].join(''))
    writeFileSync(fleet.file('board.key'), exportPrivateKey(privateKey))
    writeFileSync(
      fleet.file('other.crt'),
      (await makeRoot({ commonName: 'Fleetroot Root CA' })).certificate.pem,
    )
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  type Version = 'TLSv1.2' | 'TLSv1.3'
  type Command = [program: string, args: string[]]
  const stacks: Record<string, (version: Version, port: string, root: string) => Command> = {
    GnuTLS: (version, port, root) => [
      'gnutls-cli',
      [
        `--priority=NORMAL:-VERS-ALL:+VERS-${version.replace('v', '')}`,
        `--x509cafile=${root}`,
        `--x509certfile=${fleet.file('board.crt')}`,
        `--x509keyfile=${fleet.file('board.key')}`,
        `--port=${port}`,
        'localhost',
      ],
    ],
    wolfSSL: (version, port, root) => [
      fleet.file('wolfssl'),
      [version, 'localhost', port, root, fleet.file('board.crt'), fleet.file('board.key')],
    ],
  }

  /** Sends `first`, waits for `answer`, sends `last`; resolves to all that was printed, octet by octet, when it has ended. */
  async function converse(
    [program, args]: Command,
    first: string,
    answer: string,
    last = '',
  ): Promise<string> {
    const child = spawn(program, args, { timeout: 60_000 })
    let text = ''
    let spoke = false
    child.stdin.on('error', () => {})
    child.stdin.write(first, 'latin1')
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part: Buffer) => {
        text += part.toString('latin1')
        if (spoke || !text.includes(answer)) return
        spoke = true
        child.stdin.end(last, 'latin1')
      })
    }
    await once(child, 'close')
    return text
  }

  const request = 'GET /v1/devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  const connect = '\x10\x11\0\x04MQTT\x04\x02\0\x3c\0\x05board'
  const connack = ' \x02\0\0'
  const disconnect = '\xe0\0'
  const cases = Object.keys(stacks).flatMap((stack) =>
    (['TLSv1.2', 'TLSv1.3'] as const).map((version) => [stack, version] as const),
  )

  test.each(cases)('%s over %s are known by their certificate to both servers', async (stack, version) => {
    const command = (server: URL): Command => stacks[stack]!(version, server.port, fleet.root)
    const answer = await converse(command(fleet.enrollment), request, '"code":')
    // Refused for its role, and not for want of a certificate.
    expect(answer).toContain('"code":"role-not-allowed"')
    const session = await converse(command(fleet.broker), connect, connack, disconnect)
    expect(session).toContain(connack)
    const spoken = new RegExp(`- Description: \\(?${version.replace('v', 'v?')}`)
    for (const text of [answer, session]) expect(text).toMatch(spoken)
  })

  test.each(Object.keys(stacks))('%s refuse both servers when they are given another root', async (stack) => {
    for (const server of [fleet.enrollment, fleet.broker]) {
      const command = stacks[stack]!('TLSv1.3', server.port, fleet.file('other.crt'))
      const text = await converse(command, request, 'never')
      expect(text).not.toMatch(/HTTP\/1\.1|Handshake was completed/)
      expect(text).toMatch(/NOT trusted|handshake: /)
    }
  })
})
