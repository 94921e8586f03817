import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { issueLeaf, makeAuthority } from '../pki/authority.ts'
import { run } from '../run.ts'

judgedBy(['mosquitto_pub', 'mosquitto_sub', 'openssl'], 'the broker, as mosquitto clients meet it', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ broker: true })
    for (const [id, record] of Object.entries({
      'pump-1': {},
      'pump-2': {},
      backend: { profile: 'service' },
    })) {
      await enroll(id, record)
    }
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  /** Gets a certificate over REST and leaves `id`.crt (with its chain) and `id`.key behind. */
  async function enroll(id: string, record: Record<string, unknown>): Promise<void> {
    const token = await fleet.admin.token(id, record)
    const { privateKey } = generateKeyPair('P-256')
    const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
    const { text } = await run('curl', [
      '--silent',
      '--cacert',
      fleet.root,
      '--oauth2-bearer',
      token,
      '--json',
      JSON.stringify({ csr }),
      `https://localhost:${fleet.enrollment.port}/v1/enrollments`,
    ])
    const { certificate, chain } = JSON.parse(text) as { certificate: string; chain: string[] }
    writeFileSync(fleet.file(`${id}.crt`), [certificate, ...chain].join(''))
    writeFileSync(fleet.file(`${id}.key`), exportPrivateKey(privateKey))
  }

  const server = (): string[] => ['-h', 'localhost', '-p', fleet.broker.port, '--cafile', fleet.root]
  const as = (id: string): string[] => [
    ...server(),
    '--cert',
    fleet.file(`${id}.crt`),
    '--key',
    fleet.file(`${id}.key`),
    '-i',
    id,
  ]
  const publish = (id: string, topic: string, message: string, ...more: string[]): ReturnType<typeof run> =>
    run('mosquitto_pub', [...as(id), '-t', topic, '-m', message, '-q', '1', ...more])

  /** A running mosquitto_sub whose subscription is granted: lines are `topic payload`. */
  async function subscribe(
    id: string,
    filter: string,
  ): Promise<{ lines: string[]; arrival(text: string): Promise<void>; stop(): Promise<void> }> {
    // Into a pipe its output would be kept back by the block.
    const child: ChildProcess = spawn('stdbuf', [
      '-oL',
      'mosquitto_sub',
      ...as(id),
      '-t',
      filter,
      '-q',
      '1',
      '-v',
      '-d',
    ])
    const lines: string[] = []
    let look = (): void => {}
    const until = (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        look = () => lines.some((line) => line.includes(text)) && resolve()
        child.once('close', () =>
          reject(new Error(`mosquitto_sub ended before "${text}":\n${lines.join('\n')}`)),
        )
        look()
      })
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        look()
      })
    }
    await until('Subscribed (mid: 1)')
    return {
      lines,
      arrival: until,
      stop: async () => {
        const closed = once(child, 'close')
        child.kill('SIGTERM')
        await closed
      },
    }
  }

  test('what a device publishes to its own topic arrives; what it publishes to another device never does', async () => {
    const backend = await subscribe('backend', 'devices/#')
    const foreign = await publish('pump-1', 'devices/pump-2/telemetry/t', 'forged')
    const own = await publish('pump-1', 'devices/pump-1/telemetry/t', 'genuine')
    expect(own.status).toBe(0)
    // QoS 1 from one client keeps its order: once `genuine` is here, `forged` would have been.
    await backend.arrival('devices/pump-1/telemetry/t genuine')
    await backend.stop()
    expect(backend.lines.join('\n')).not.toContain('forged')
    // Acknowledged and gone nowhere, as MQTT 3.1.1 asks ([MQTT-3.3.5-2]).
    expect(foreign.status).toBe(0)
  })

  test('a command reaches its device and no other', async () => {
    const pump1 = await subscribe('pump-1', 'devices/pump-1/commands/#')
    const pump2 = await subscribe('pump-2', 'devices/pump-2/commands/#')
    await publish('backend', 'devices/pump-1/commands/open', 'secret')
    await publish('backend', 'devices/pump-2/commands/close', 'other')
    await pump1.arrival('devices/pump-1/commands/open secret')
    await pump2.arrival('devices/pump-2/commands/close other')
    await Promise.all([pump1.stop(), pump2.stop()])
    expect(pump2.lines.join('\n')).not.toContain('secret')
  })

  test.each([
    '#',
    'devices/#',
    'devices/pump-2/commands/#',
    '+/+/commands/#',
    '$SYS/#',
    '$share/g/devices/#',
  ])('a device is not granted %s', async (filter) => {
    const { text } = await run('mosquitto_sub', [...as('pump-1'), '-t', filter, '-W', '3', '-d'])
    expect(text).toMatch(/All subscription requests were denied|Subscribed \(mid: 1\): 128/)
  })

  test('a client without a certificate is refused', async () => {
    const { status, text } = await run('mosquitto_pub', [...server(), '-i', 'pump-1', '-t', 'a', '-m', 'b'])
    expect(status).not.toBe(0)
    expect(text).toMatch(/error|lost|refused/i)
  })

  test('a certificate of a CA with the same names and other keys is refused', async () => {
    const names = { root: 'Fleetroot Root CA', issuer: 'Fleetroot Devices CA' }
    const authority = await makeAuthority('P-256', { names })
    const { publicKey, privateKey } = generateKeyPair('P-256')
    const leaf = await issueLeaf(authority, 'device', publicKey)
    writeFileSync(fleet.file('pump-7.crt'), leaf.pem + authority.issuer.certificate.pem)
    writeFileSync(fleet.file('pump-7.key'), exportPrivateKey(privateKey))
    expect((await publish('pump-7', 'devices/pump-7/telemetry/t', 'forged')).status).not.toBe(0)
    // It was the certificate that was refused, and not something else that went wrong.
    await fleet.brokerApp?.waitFor(/"reason":"(unknown|fake)-authority"/)
  })

  test("another device's client id is refused", async () => {
    const { status } = await run('mosquitto_pub', [...as('pump-1'), '-i', 'pump-2', '-t', 'a', '-m', 'b'])
    expect(status).not.toBe(0)
  })

  test('a plaintext client gets nothing', async () => {
    const { status } = await run('mosquitto_pub', [
      '-h',
      'localhost',
      '-p',
      fleet.broker.port,
      '-t',
      'a',
      '-m',
      'b',
    ])
    expect(status).not.toBe(0)
  })

  test('openssl s_client reaches the broker over TLS 1.3 and finds its certificate good', async () => {
    const { text } = await run(
      'openssl',
      [
        's_client',
        '-connect',
        `localhost:${fleet.broker.port}`,
        '-CAfile',
        fleet.root,
        '-verify_hostname',
        'localhost',
        '-cert',
        fleet.file('pump-1.crt'),
        '-key',
        fleet.file('pump-1.key'),
      ],
      { input: '' },
    )
    expect(text).toMatch(/Verify return code: 0 \(ok\)/)
    expect(text).toMatch(/New, TLSv1\.3/)
  })
})
