import { existsSync, readFileSync } from 'node:fs'
import { certificateIdentity, parseCertificates } from '@fleetroot/pki'
import { type DataDirectory, ServiceError } from '@fleetroot/service'

/**
 * Refuses a trust domain that is not the one of the data directory. Every certificate of its fleet carries the old one, so that
 * with another nobody would be admitted any more, without a word until then.
 * @throws {ServiceError} `config`
 */
export function checkTrustDomain(data: Pick<DataDirectory, 'file'>, trustDomain: string): void {
  const file = data.file('enrollment-server', 'cert.pem')
  if (!existsSync(file)) return
  const known = trustDomainOf(file)
  if (known === undefined || known === trustDomain) return
  throw new ServiceError(
    'config',
    `trustDomain: ${file} and the certificates of this fleet are of the trust domain ${known}, not ` +
      `${trustDomain}: start with --trust-domain=${known}, or with another data directory for another fleet`,
  )
}

/** Undefined for a file that cannot be read: the server makes a new one then, or says what is wrong with it. */
function trustDomainOf(file: string): string | undefined {
  try {
    const [certificate] = parseCertificates(readFileSync(file, 'utf8'))
    const identity = certificate && certificateIdentity(certificate)
    return !identity || 'refused' in identity ? undefined : identity.trustDomain
  } catch {
    return undefined
  }
}
