import type { KeyObject } from 'node:crypto'
import type { Signer } from '../key/index.ts'
import { encodeName, nameOf } from '../name/index.ts'
import { defaultProfiles } from '../profile/defaults.ts'
import type { SerialNumber } from '../serial.ts'
import type { Certificate } from './certificate.ts'
import { issue } from './issue.ts'
import type { Issuer } from './issuer.ts'

/** Name, serial and time of a CA certificate. */
export interface AuthorityOptions {
  readonly commonName: string
  readonly organization?: string
  readonly serial: SerialNumber
  readonly now: Date
}

/**
 * Makes a root: self-signed, 20 years, keyCertSign and cRLSign. Its key signs issuing CAs and nothing else.
 *
 * @throws PkiError `issuance-refused` for a weak key; `name-invalid`
 */
export async function createRootCertificate(
  options: AuthorityOptions & { signer: Signer },
): Promise<Certificate> {
  const { signer, serial, now } = options
  return issue({
    profile: defaultProfiles.root,
    signer,
    issuer: undefined,
    subject: authorityName(options),
    subjectAltNames: [],
    publicKey: signer.publicKey,
    serial,
    now,
    urls: {},
  })
}

/**
 * Makes an issuing CA below the root: 10 years, never past the root's notAfter, pathLenConstraint 0, so that
 * it signs leaves only. It carries no name constraints: see docs/decisions/0003.
 *
 * @throws PkiError `issuance-refused`, `key-mismatch` or `name-invalid`
 */
export async function createIssuingCertificate(
  options: AuthorityOptions & { issuer: Issuer; publicKey: KeyObject },
): Promise<Certificate> {
  const { issuer, publicKey, serial, now } = options
  return issue({
    profile: defaultProfiles.issuing,
    signer: issuer.signer,
    issuer: issuer.certificate,
    subject: authorityName(options),
    subjectAltNames: [],
    publicKey,
    serial,
    now,
    urls: {},
  })
}

function authorityName({ commonName, organization }: AuthorityOptions): Buffer {
  return encodeName(nameOf({ commonName, ...(organization === undefined ? {} : { organization }) }))
}
