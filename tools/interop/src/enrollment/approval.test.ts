import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import { type Certificate, decodeCertsOnly, parseCertificate } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildFirmware } from '../firmware/build.ts'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

// Every client asks without a credential, polls until an operator approves, and then renews, at the same server.

judgedBy(['pki', 'openssl', 'curl', 'cc', 'make', 'libc', 'mbedtls'], 'a device that nobody knows', () => {
  let fleet: Fleet
  let url: string
  beforeAll(async () => {
    fleet = await startFleet({ broker: true, serverArgs: ['--approvals', '--approval-retry=1s'] })
    url = `https://localhost:${fleet.enrollment.port}`
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  interface Waiting {
    readonly id: string
    readonly deviceId: string
  }

  /** Approves the device as soon as it has asked. */
  async function approve(id: string): Promise<void> {
    const waiting = async (): Promise<Waiting | undefined> => {
      const { body } = await fleet.admin.call('GET', '/v1/approvals?state=pending')
      return (body as { items: Waiting[] }).items.find(({ deviceId }) => deviceId === id)
    }
    await expect.poll(waiting, { timeout: 60_000 }).toBeDefined()
    const { status } = await fleet.admin.call('POST', `/v1/approvals/${(await waiting())?.id}/approve`, {})
    expect(status).toBe(200)
  }

  function expectRenewed(first: Certificate, second: Certificate): void {
    expect(second.subject).toEqual(first.subject)
    expect(second.serial).not.toBe(first.serial)
  }

  test('polls with strongSwan pki, and renews', async () => {
    const id = 'waiting-swan'
    const key = await succeed('pki', ['--gen', '--type', 'ecdsa', '--size', '256'])
    writeFileSync(fleet.file(`${id}.key`), key.stdout)
    const from = ['--in', fleet.file(`${id}.key`), '--type', 'ecdsa', '--dn', `CN=${id}`]
    writeFileSync(fleet.file(`${id}.csr`), (await succeed('pki', ['--req', ...from])).stdout)
    const est = [
      '--est',
      '--interval',
      '1',
      '--url',
      url,
      '--in',
      fleet.file(`${id}.csr`),
      '--cacert',
      fleet.root,
    ]
    // 5.9.8 does not look at Retry-After: it asks again after 60 s unless it is told otherwise.
    const [enrolled] = await Promise.all([succeed('pki', est), approve(id)])
    writeFileSync(fleet.file(`${id}.crt`), enrolled.stdout)
    const identity = ['--cert', fleet.file(`${id}.crt`), '--key', fleet.file(`${id}.key`)]
    const renewed = await succeed('pki', [...est, ...identity])
    expectRenewed(parseCertificate(enrolled.stdout), parseCertificate(renewed.stdout))
  })

  test('polls with curl and openssl, and renews', async () => {
    const id = 'waiting-curl'
    const key = fleet.file(`${id}.key`)
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    const csr = fleet.file(`${id}.csr`)
    await succeed('openssl', ['req', '-new', '-key', key, '-subj', `/CN=${id}`, '-out', csr])
    const post = async (operation: string, ...more: string[]): Promise<string> => {
      // curl waits as Retry-After says, and takes 202 for success: the status says when to stop.
      const answer = await run('curl', [
        '--silent',
        '--show-error',
        '--include',
        '--cacert',
        fleet.root,
        '--header',
        'Content-Type: application/pkcs10',
        '--data-binary',
        `@${csr}`,
        ...more,
        `${url}/.well-known/est/${operation}`,
      ])
      return answer.text
    }
    const certificateIn = (text: string): Certificate => {
      const [certificate] = decodeCertsOnly(Buffer.from(text.split('\r\n\r\n')[1] ?? '', 'base64'))
      if (!certificate) throw new Error(text)
      return certificate
    }
    const first = await post('simpleenroll')
    expect(first).toMatch(/^HTTP\/1\.1 202 [^]*retry-after: 1\r\n[^]*\r\n\r\napproval-pending: /i)
    await approve(id)
    const enrolled = certificateIn(await post('simpleenroll'))
    writeFileSync(fleet.file(`${id}.crt`), enrolled.pem)
    const renewed = await post('simplereenroll', '--cert', fleet.file(`${id}.crt`), '--key', key)
    expectRenewed(enrolled, certificateIn(renewed))
  })

  test('polls with the firmware in C, and renews', async () => {
    const id = 'waiting-c'
    const firmware = await buildFirmware(fleet.file('build'), 'firmware-checked')
    const device = [
      `--id=${id}`,
      `--root=${fleet.root}`,
      `--store=${fleet.file(`${id}.store`)}`,
      `--est=localhost:${fleet.enrollment.port}`,
      `--broker=localhost:${fleet.broker.port}`,
      '--attempts=100',
    ]
    const [enrolled] = await Promise.all([succeed(firmware, [...device, 'enroll']), approve(id)])
    expect(enrolled.text).toMatch(/asks for approval of its key, SHA-256 [0-9a-f]{64}/)
    expect((await succeed(firmware, [...device, 'renew'])).text).toContain(`renewed ${id}`)
  })

  test('polls with our own client, and renews', async () => {
    const id = 'waiting-ours'
    const est = createEstClient({ url, trust: [readFileSync(fleet.root, 'utf8')] })
    const store = openIdentityStore(join(fleet.data, '..', id))
    const retry = { maxAttempts: 100 }
    const enrolling = enrollDevice({ id, est, store, credential: 'approval', retry })
    const [{ identity }] = await Promise.all([enrolling, approve(id)])
    const later = new Date(identity.certificate.notAfter.getTime() - 60_000)
    const next = await enrollDevice({ id, est, store, now: () => later })
    expect(next.how).toBe('renewed')
    expectRenewed(identity.certificate, next.identity.certificate)
    est.close()
  })
})
