import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import {
  type Certificate,
  createCrossCertificate,
  createRootCertificate,
  defaultProfiles,
  encodeCertsOnly,
  newSerial,
  parseCsr,
} from '@fleetroot/pki'
import { issueFor, issueLeaf, makeHierarchy, makeRoot } from '@fleetroot/pki/testing'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'
import { buildFirmware } from './build.ts'
import { openScriptedServer } from './scripted-server.ts'

// Whoever has taken the enrollment server, with its key and that of an issuing CA, may say of its CAs what he likes.

const trustDomain = 'fleetroot.local'

judgedBy(['cc', 'make', 'libc', 'mbedtls'], 'the firmware in C', () => {
  test('takes in no root but one that a root of its own has certified', async () => {
    using folder = temporaryFolder()
    const file = (name: string): string => join(folder.path, name)
    const firmware = await buildFirmware(folder.path, 'firmware-checked')
    const { root, devices, services } = await makeHierarchy()
    const stranger = await makeRoot({ commonName: 'Stranger' })
    const successor = await makeRoot({ commonName: 'Successor' })
    const now = new Date()
    const names = { commonName: 'Test Devices', serial: newSerial(), now }
    const planted = await createRootCertificate({ signer: devices.signer, ...names })
    const cross = await createCrossCertificate({
      issuer: root,
      subject: successor.certificate,
      serial: newSerial(),
      now,
    })

    async function anchorsAfter(...more: Certificate[]): Promise<boolean> {
      const cas = encodeCertsOnly(
        [root, devices, services].map(({ certificate }) => certificate).concat(more),
      )
      const profile = defaultProfiles.service
      const leaf = { id: 'enrollment-server', profile, trustDomain, dns: ['localhost'] }
      const ok = (der: Buffer): { octets: string } => {
        const body = der.toString('base64')
        return { octets: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` }
      }
      await using server = await openScriptedServer(
        await issueLeaf(services, leaf),
        async ({ path, body }) => {
          if (path.endsWith('/cacerts')) return ok(cas)
          const { publicKey } = await parseCsr(Buffer.from(body, 'base64'))
          return ok(encodeCertsOnly([await issueFor(devices, { id: 'pump-7', trustDomain, publicKey })]))
        },
      )
      const store = file(`store-${more.length}-${more[0]?.serial}`)
      writeFileSync(file('root.crt'), root.certificate.pem)
      writeFileSync(file('token'), 'A'.repeat(43))
      const files = [`--root=${file('root.crt')}`, `--store=${store}`, `--token-file=${file('token')}`]
      const { status, text } = await run(firmware, [
        '--id=pump-7',
        `--est=localhost:${server.port}`,
        ...files,
        'enroll',
      ])
      expect(status, text).toBe(0)
      return existsSync(join(store, 'anchors.pem'))
    }

    expect(await anchorsAfter(stranger.certificate)).toBe(false)
    expect(await anchorsAfter(planted)).toBe(false)
    expect(await anchorsAfter(successor.certificate)).toBe(false)
    expect(await anchorsAfter(successor.certificate, cross)).toBe(true)
  })
})
