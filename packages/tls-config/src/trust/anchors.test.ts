import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet } from '../testing/fleet.ts'
import { loadTrust } from './anchors.ts'

let directory: string
let file: string
let fleet: Fleet
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleetroot-trust-'))
  file = join(directory, 'root.crt')
  fleet = await createFleet()
})
afterAll(() => rmSync(directory, { recursive: true }))

test('every CA of the file is an anchor', () => {
  writeFileSync(file, `# two of them\n${fleet.root.certificate.pem}\n${fleet.devices.certificate.pem}`)
  const fingerprints = loadTrust(file).map((anchor) => anchor.fingerprint256)
  expect(fingerprints).toEqual(
    [fleet.root, fleet.devices].map(({ certificate }) => certificate.fingerprint256),
  )
})

test('a file without a certificate', () => {
  writeFileSync(file, 'nothing here\n')
  const message = `trust file ${file}: no certificate in it; give the root CA's PEM`
  expect(() => loadTrust(file)).toThrow(expect.objectContaining({ code: 'trust-missing', message }))
})

test('a certificate that is not a CA', async () => {
  writeFileSync(file, (await fleet.issue()).certificate.pem)
  const message = `trust file ${file}: CN=dev-1 is not a CA; give the root CA's PEM`
  expect(() => loadTrust(file)).toThrow(expect.objectContaining({ code: 'trust-not-a-ca', message }))
})

test('a file that is missing', () => {
  expect(() => loadTrust(join(directory, 'none'))).toThrow(expect.objectContaining({ code: 'file-missing' }))
})

test.each([{ trust: [] }, { trust: [''] }])(
  'options do not fall back to the public CAs for $trust',
  async ({ trust }) => {
    const missing = expect.objectContaining({ code: 'trust-missing' })
    const identity = await fleet.issueServer()
    expect(() => clientTlsOptions({ trust, mode: 'strict' })).toThrow(missing)
    expect(() =>
      serverTlsOptions({ identity, trust, mode: 'strict', clientCertificate: 'required' }),
    ).toThrow(missing)
  },
)
