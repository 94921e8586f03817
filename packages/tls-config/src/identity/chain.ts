import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { formatName, isIssuedBy } from '@fleetroot/pki'
import type { Certificate } from '@fleetroot/pki'
import { TlsConfigError } from '../error.ts'
import { certificatesIn } from '../pem/certificates.ts'

type Chain = readonly [Certificate, ...Certificate[]]

/**
 * The certificates of a PEM text, at least one; other PEM blocks in it are passed over.
 *
 * @throws TlsConfigError `certificate-missing` or `certificate-malformed`
 */
export function parseChain(pem: string, file: string): Chain {
  const [certificate, ...chain] = certificatesIn(pem, `certificate file ${file}`)
  if (certificate === undefined) {
    throw new TlsConfigError(
      'certificate-missing',
      `certificate file ${file}: no certificate in it; give its PEM`,
    )
  }
  return [certificate, ...chain]
}

/**
 * Proves that the key belongs to the first certificate, that each certificate is signed by the next, and
 * that all are valid at `now`. A wrong order is named as such, because it is the commonest way to get the
 * other errors.
 *
 * @throws TlsConfigError `chain-order`, `key-mismatch`, `certificate-expired` or `certificate-not-yet-valid`
 */
export function checkChain(
  certificates: Chain,
  privateKey: KeyObject,
  files: { readonly certFile: string; readonly keyFile: string },
  now: Date,
): void {
  const source = `certificate file ${files.certFile}`
  const publicKey = createPublicKey(privateKey)
  const owner = certificates.findIndex((each) => each.publicKey.equals(publicKey))
  if (owner === -1) {
    throw new TlsConfigError(
      'key-mismatch',
      `key file ${files.keyFile}: the key is not that of ${formatName(certificates[0].subject)} in ${files.certFile}; give the key that this certificate was requested with`,
    )
  }
  if (owner > 0)
    throw outOfOrder(source, `the key's own certificate is number ${owner + 1}, it must be the first`)
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1]
    if (issuer !== undefined && !isIssuedBy(certificate, issuer)) {
      throw outOfOrder(
        source,
        `${formatName(issuer.subject)} did not issue ${formatName(certificate.subject)} before it`,
      )
    }
    checkDates(certificate, source, now)
  }
}

function outOfOrder(source: string, problem: string): TlsConfigError {
  return new TlsConfigError('chain-order', `${source}: ${problem}; order it leaf first, then each issuer`)
}

function checkDates(certificate: Certificate, source: string, now: Date): void {
  const subject = formatName(certificate.subject)
  if (now > certificate.notAfter) {
    const message = `${source}: ${subject} expired at ${certificate.notAfter.toISOString()}; renew it`
    throw new TlsConfigError('certificate-expired', message)
  }
  if (now < certificate.notBefore) {
    const message = `${source}: ${subject} is valid from ${certificate.notBefore.toISOString()} only; check this machine's clock`
    throw new TlsConfigError('certificate-not-yet-valid', message)
  }
}
