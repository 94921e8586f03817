import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  certificateIdentity,
  defaultProfiles,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  issueCertificate,
  keySigner,
  newSerial,
  parseCertificate,
  parseCertificates,
  parseDeviceId,
} from '@fleetroot/pki'
import type { KeyAndCertificate } from '@fleetroot/tls-config'

/**
 * A service certificate for an id that a device has, made with the key of the Services CA in the data directory of an enrollment server,
 * which gives every id once.
 */
export async function serviceNamesake(data: string, id: string): Promise<KeyAndCertificate> {
  const read = (name: string): string => readFileSync(join(data, 'ca', name), 'utf8')
  const chain = read('services.crt')
  const key = importPrivateKey(read('services.key'), read('passphrase').trim())
  const { privateKey, publicKey } = generateKeyPair('P-256')
  const [operator] = parseCertificates(readFileSync(join(data, 'operator/cert.pem'), 'utf8'))
  const known = certificateIdentity(operator!)
  if (!('trustDomain' in known)) throw new Error(`the operator certificate: ${known.detail}`)
  const certificate = await issueCertificate({
    profile: defaultProfiles.service,
    issuer: { certificate: parseCertificate(chain), signer: keySigner(key) },
    subject: { id: parseDeviceId(id), trustDomain: known.trustDomain },
    publicKey,
    serial: newSerial(),
    now: new Date(),
  })
  return { key: exportPrivateKey(privateKey), cert: certificate.pem + chain }
}
