import { createPrivateKey } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createEstClient, renewalDue } from '@fleetroot/device-client'
import { commonNames, createCsr } from '@fleetroot/pki'
import { atomicWrite } from '@fleetroot/service'
import { loadTrust } from '@fleetroot/tls-config'
import type { ServerFiles } from './files.ts'
import { loadOperator, type OperatorIdentity } from './identity.ts'

/**
 * Is the operator certificate due: are two thirds of its life over, counted from when it was written here? (notBefore is
 * backdated by more than a short life lasts.)
 */
export async function isRenewalDue(
  identity: OperatorIdentity,
  { cert }: ServerFiles,
  now: Date,
): Promise<boolean> {
  const { mtime: obtainedAt } = await stat(cert)
  return now >= renewalDue({ certificate: identity.certificate, obtainedAt })
}

/**
 * Renews the operator certificate over EST (RFC 7030, section 4.2.2) for the same key and puts it in the place
 * of the old one. Same key, so that one rename replaces it and key and certificate always belong together; the
 * server on its own machine does the same. Throws DeviceClientError, or Node's error of the file.
 */
export async function renewOperator(
  identity: OperatorIdentity,
  files: ServerFiles,
  now: Date,
): Promise<OperatorIdentity> {
  const trust = loadTrust(files.trust).map(({ pem }) => pem)
  const client = createEstClient({ url: files.url, trust, identity, now: () => now })
  try {
    const [commonName = ''] = commonNames(identity.certificate.subject)
    const csr = createCsr({ privateKey: createPrivateKey(identity.key), commonName })
    const certificate = await client.simpleReenroll(csr)
    const issuers = await client.issuersOf(certificate)
    await atomicWrite(files.cert, [certificate, ...issuers].map(({ pem }) => pem).join(''))
  } finally {
    client.close()
  }
  return loadOperator(files, now)
}
