import { type Certificate, commonNames, parseCertificate, PkiError, validatePath } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import type { DeviceRecord } from '../registry/records.ts'

/** A manufacturer whose devices bring a certificate from the factory: an IDevID (IEEE 802.1AR). */
export interface Manufacturer {
  readonly name: string
  /** The CAs that its certificates may lead to. */
  readonly anchors: readonly Certificate[]
  /** Which attribute of the subject says which device it is. */
  readonly identifier: 'serialNumber' | 'commonName'
}

/** Which device of which manufacturer a certificate proves, or why none. */
export type IdevidProof =
  | { readonly ok: true; readonly manufacturer: string; readonly serialNumber: string }
  | { readonly ok: false; readonly detail: string }

const mostCertificates = 8
/** Signatures verified for one request, whatever it sends and however many manufacturers there are. */
const mostSignatures = 12
// X.520: the attribute that IEEE 802.1AR, section 8.6, wants in every subject.
const serialNumberType = '2.5.4.5'
const clientPurposes: readonly string[] = ['clientAuth', '2.5.29.37.0']

/**
 * Looks at a certificate that TLS has proven possession of, the device's own first, and the others that came with it: it must
 * lead to a CA of a configured manufacturer by RFC 5280, be no CA itself, and be for signatures and for clients where it says what
 * it is for. That it expires in the year 9999 is usual; that it was revoked, nobody here knows.
 */
export function proveIdevid(
  chain: readonly Uint8Array[],
  manufacturers: readonly Manufacturer[],
  now: Date,
): IdevidProof {
  if (chain.length > mostCertificates)
    return refuse(`more than ${mostCertificates} certificates came with it`)
  let certificates: Certificate[]
  try {
    certificates = chain.map((der) => parseCertificate(der))
  } catch (error) {
    if (error instanceof PkiError) return refuse(error.message)
    throw error
  }
  const [leaf, ...intermediates] = certificates
  if (!leaf) return refuse('there is none')
  const reasons: { readonly detail: string; readonly isNamed: boolean }[] = []
  const vouching: { readonly manufacturer: Manufacturer; readonly distance: number }[] = []
  // What strangers send is verified on the thread that enrolls for everybody.
  const budget = { signatures: mostSignatures }
  for (const manufacturer of manufacturers) {
    const path = validatePath(leaf, { intermediates, anchors: manufacturer.anchors, now, budget })
    if (path.ok) vouching.push({ manufacturer, distance: path.issuers.length })
    else reasons.push(path)
  }
  // Before anything counts: whoever is nearer might not have been found.
  if (budget.signatures < 1)
    return refuse('too many signatures would have to be verified; send only the CAs above it')
  if (vouching.length > 0) return identifyNearest(leaf, vouching)
  // Of several manufacturers, the one that it says it is of.
  const reason = reasons.find(({ isNamed }) => isNamed) ?? reasons[0]
  return refuse(reason?.detail ?? 'no manufacturer is configured')
}

/** Where the CA of one manufacturer is above that of another, it is of the other one. */
function identifyNearest(
  leaf: Certificate,
  vouching: readonly { readonly manufacturer: Manufacturer; readonly distance: number }[],
): IdevidProof {
  const nearest = Math.min(...vouching.map(({ distance }) => distance))
  const proofs = vouching
    .filter(({ distance }) => distance === nearest)
    .map(({ manufacturer }) => identify(leaf, manufacturer))
  const good = proofs.filter((proof) => proof.ok)
  if (good.length > 1) {
    const names = good.map(({ manufacturer }) => manufacturer).join(' and ')
    return refuse(`it may be of ${names}, which are configured with the same CA`)
  }
  return good[0] ?? proofs[0] ?? refuse('no manufacturer is configured')
}

function identify(leaf: Certificate, { name, identifier }: Manufacturer): IdevidProof {
  if (leaf.basicConstraints?.ca === true || leaf.keyUsage?.includes('keyCertSign')) {
    return refuse('it is that of a CA')
  }
  if (leaf.keyUsage && !leaf.keyUsage.includes('digitalSignature')) {
    return refuse('its keyUsage has no digitalSignature')
  }
  if (leaf.extendedKeyUsage && !leaf.extendedKeyUsage.some((purpose) => clientPurposes.includes(purpose))) {
    return refuse('its extKeyUsage has no clientAuth')
  }
  const values =
    identifier === 'commonName'
      ? commonNames(leaf.subject)
      : leaf.subject
          .flat()
          .filter(({ type }) => type === serialNumberType)
          .map(({ value }) => value)
  const [serialNumber, ...more] = values
  if (serialNumber === undefined || more.length > 0) return refuse(`its subject must have one ${identifier}`)
  if (!isManufacturerSerial(serialNumber)) {
    return refuse(`the ${identifier} of its subject must be 1 to 64 printable characters of ASCII`)
  }
  return { ok: true, manufacturer: name, serialNumber }
}

/** What a manufacturer may call a device: as X.520 has it, and nothing that a reader could take for something else. */
export function isManufacturerSerial(text: string): boolean {
  return /^[!-~](?:[ -~]{0,62}[!-~])?$/.test(text)
}

/**
 * A manufacturer certificate is for life: it must not bring back what an operator has ended. Once the newest certificate of a device
 * was revoked, only an operator can let it in again, with a token.
 */
export function checkHistory({ id, certificate }: DeviceRecord): Refusal | undefined {
  if (certificate?.status !== 'revoked') return undefined
  return {
    code: 'device-revoked',
    detail: `id: the certificate of ${id} was revoked; ask the operator for a token`,
  }
}

function refuse(detail: string): IdevidProof {
  return { ok: false, detail }
}
