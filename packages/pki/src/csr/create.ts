import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { bitString, implicitSetOf, integer, oid, sequence, setOf, string } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, type Extension, extensionOids } from '../extension/index.ts'
import {
  encodeSignatureAlgorithm,
  exportPublicKey,
  signatureAlgorithmFor,
  signatureHash,
} from '../key/index.ts'
import { encodeName, nameOf, type SubjectAltName, encodeSubjectAltNames } from '../name/index.ts'
import { attributeOids } from './attributes.ts'

/** What goes into a CSR. Only the key must be there; the CA decides about everything else. */
export interface CsrOptions {
  privateKey: KeyObject
  commonName?: string
  subjectAltNames?: readonly SubjectAltName[]
  /** RFC 2985 section 5.4.1; for EST the channel binding (RFC 7030 section 3.5). */
  challengePassword?: string
  /** RFC 7894 section 3.3: the channel binding, in an attribute of its own. */
  estIdentityLinking?: string
  /** Further extensions to ask for. subjectAltName is not one of them: it has its own field. */
  extensions?: readonly Extension[]
}

/**
 * Makes a certificate signing request in DER, signed with the key that it is for. Runs on the calling thread:
 * about 0.1 ms for P-256, a millisecond for RSA-2048. The same key and options give the same CSR for RSA and
 * Ed25519 only: ECDSA signatures are random, so whoever must repeat a request keeps its bytes.
 *
 * @throws PkiError `key-unsupported`, `name-invalid`, `subject-alt-name-invalid`, `extension-invalid`
 */
export function createCsr(options: CsrOptions): Buffer {
  const { privateKey, commonName } = options
  if (privateKey.type !== 'private') throw new PkiError('key-invalid', 'CSR: needs the private key')
  const algorithm = signatureAlgorithmFor(privateKey)
  const info = sequence(
    integer(0),
    encodeName(nameOf(commonName === undefined ? {} : { commonName })),
    exportPublicKey(createPublicKey(privateKey)),
    implicitSetOf(0, ...attributes(options)),
  )
  const signature = sign(signatureHash(algorithm), info, privateKey)
  return sequence(info, encodeSignatureAlgorithm(algorithm), bitString(signature))
}

function attributes(options: CsrOptions): Buffer[] {
  const { challengePassword, estIdentityLinking, subjectAltNames = [], extensions = [] } = options
  if (extensions.some(({ oid }) => oid === extensionOids.subjectAltName)) {
    throw new PkiError(
      'extension-invalid',
      'CSR: give alternative names as subjectAltNames, not as an extension',
    )
  }
  const requested = extensions.map((extension) => encodeExtension(extension))
  if (subjectAltNames.length > 0) {
    const value = encodeSubjectAltNames(subjectAltNames)
    requested.unshift(encodeExtension({ oid: extensionOids.subjectAltName, critical: false, value }))
  }
  const list: Buffer[] = []
  if (challengePassword !== undefined)
    list.push(attribute(attributeOids.challengePassword, password(challengePassword)))
  if (estIdentityLinking !== undefined)
    list.push(attribute(attributeOids.estIdentityLinking, password(estIdentityLinking)))
  if (requested.length > 0) list.push(attribute(attributeOids.extensionRequest, sequence(...requested)))
  return list
}

function attribute(type: string, value: Buffer): Buffer {
  return sequence(oid(type), setOf(value))
}

/** PrintableString where it fits, else UTF8String: RFC 2985 section 5.4.1. */
function password(text: string): Buffer {
  return string(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text) ? 'printable' : 'utf8', text)
}
