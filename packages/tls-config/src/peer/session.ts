import type { TLSSocket } from 'node:tls'

/** The part of a TLS session that `peerIdentity` needs. */
export interface SessionFacts {
  /** The peer's certificate, DER; undefined when it sent none. */
  readonly certificate: Buffer | undefined
  /** The key exchange group by its IANA name, `0x…` for one without a name here, undefined if not known. */
  readonly group: string | undefined
}

/** IANA TLS Supported Groups: what our own options allow, and what other peers use. */
const groupNames: Readonly<Record<number, string>> = {
  0x0017: 'secp256r1',
  0x0018: 'secp384r1',
  0x0019: 'secp521r1',
  0x001d: 'x25519',
  0x001e: 'x448',
  0x11eb: 'SecP256r1MLKEM768',
  0x11ec: 'X25519MLKEM768',
  0x11ed: 'SecP384r1MLKEM1024',
}

const PEER = 0xa3
const FLAGS = 0xad
const KEX_GROUP = 0xb3

/**
 * Reads certificate and group out of OpenSSL's own record of the session.
 *
 *     SSL_SESSION ::= SEQUENCE { version, sslVersion, cipher, sessionId, masterKey, …,
 *                                peer [3] EXPLICIT Certificate OPTIONAL, …,
 *                                flags [13] EXPLICIT INTEGER OPTIONAL, …,
 *                                kexGroup [19] EXPLICIT INTEGER OPTIONAL, … }     -- ssl/ssl_asn1.c
 *
 * For the group there is no other way: `getEphemeralKeyInfo` answers on clients only. For the certificate
 * it is the object that `getPeerX509Certificate` wraps, 40 µs cheaper (measured: 2 µs against 41). Should
 * the record ever look different, the certificate comes from `getPeerX509Certificate` and the group is unknown.
 */
export function sessionFacts(socket: TLSSocket): SessionFacts {
  const record = socket.getSession()
  if (record === undefined) return { certificate: socket.getPeerX509Certificate()?.raw, group: undefined }
  const fields = fieldsOf(record)
  const peer = fields.get(PEER)
  const group = fields.get(KEX_GROUP)
  // What is kept is copied, so that the master secret beside it can be wiped.
  const facts = {
    certificate: peer === undefined ? socket.getPeerX509Certificate()?.raw : Buffer.from(peer),
    group: group === undefined ? undefined : groupName(group),
  }
  record.fill(0)
  return facts
}

// SSL_SESS_FLAG_EXTMS of ssl/ssl_local.h.
const EXTENDED_MASTER_SECRET = 1

/**
 * Whether the session of a server's TLS 1.2 connection was made with the extended master secret (RFC 7627). False where that
 * is not known.
 */
export function hasExtendedMasterSecret(socket: TLSSocket): boolean {
  const record = socket.getSession()
  if (record === undefined) return false
  const flags = fieldsOf(record).get(FLAGS)?.at(-1) ?? 0
  record.fill(0)
  return (flags & EXTENDED_MASTER_SECRET) !== 0
}

function groupName(integer: Buffer): string {
  const number = Number.parseInt(integer.toString('hex', 2), 16)
  return groupNames[number] ?? `0x${number.toString(16).padStart(4, '0')}`
}

/** The elements inside the outermost SEQUENCE by tag; empty for anything that is not one. */
function fieldsOf(der: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>()
  let at = der[0] === 0x30 ? elementAt(der, 0).start : der.length
  while (at < der.length) {
    const { start, end } = elementAt(der, at)
    fields.set(der[at] ?? 0, der.subarray(start, end))
    at = end
  }
  return fields
}

/** Where the content of the element at `at` starts and ends; lengths of up to four octets. */
function elementAt(der: Buffer, at: number): { start: number; end: number } {
  const length = der[at + 1] ?? 0
  if (length < 0x80) return { start: at + 2, end: at + 2 + length }
  const octets = Math.min(length & 0x7f, 4)
  const start = at + 2 + octets
  return { start, end: start + der.readUIntBE(at + 2, octets) }
}
