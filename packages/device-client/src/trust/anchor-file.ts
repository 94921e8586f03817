import { createHash } from 'node:crypto'
import { dirname } from 'node:path'

import { type Certificate, parseCertificates } from '@fleetroot/pki'
import { parseTrust } from '@fleetroot/tls-config'

import { readRecord, replaceRecord, sweepAbandoned } from '../identity/record.ts'
import { LearningAnchors, type TrustAnchors } from './anchors.ts'

/** Options of `openTrustAnchors`. */
export interface TrustAnchorsOptions {
  /** Where to keep what is learned; made, 0600, when there is something. Give each pin a file of its own. */
  file: string
  /** The trust anchors that the device was provisioned with, PEM. */
  pin: readonly string[]
  /** Default: the system's clock. */
  now?: () => Date
}

/**
 * Opens the trust anchors of a device: those that it has learned, or the provisioned `pin` when it has learned
 * none, when the file is damaged, or when the pin is another one than what was learned began with: whoever changes
 * the pin starts over. The file is replaced as a whole by one rename(2), so that a process that is killed leaves
 * the anchors before or those after, never a mixture. Several processes may share it.
 *
 *     Pin: <SHA-256 of the pin>
 *     Anchors: <how many of the certificates that follow are anchors>
 *     -----BEGIN CERTIFICATE----- …
 *
 * Throws TlsConfigError if the pin holds no CA, DeviceClientError `store-exposed` if others may read or write the
 * file, or `store-failed`.
 */
export async function openTrustAnchors(options: TrustAnchorsOptions): Promise<TrustAnchors> {
  const { file, now = () => new Date() } = options
  const pinned = parseTrust(options.pin, 'option pin')
  const pin = digestOf(pinned)
  await sweepAbandoned(dirname(file))
  const text = await readRecord(file, 'others could make the device trust what they like')
  const { anchors, intermediates } = (text !== undefined && parseAnchors(text, pin)) || {
    anchors: pinned,
    intermediates: [],
  }
  return new LearningAnchors({
    anchors,
    intermediates,
    now,
    keep: async (...learned) => replaceRecord(file, formatAnchors(pin, ...learned)),
  })
}

function formatAnchors(
  pin: string,
  anchors: readonly Certificate[],
  intermediates: readonly Certificate[],
): string {
  const certificates = [...anchors, ...intermediates].map(({ pem }) => pem)
  return `Pin: ${pin}\nAnchors: ${anchors.length}\n${certificates.join('')}`
}

/** Undefined: learned from another pin, or damaged, and the pin is a safe beginning. */
function parseAnchors(
  text: string,
  pin: string,
): { anchors: Certificate[]; intermediates: Certificate[] } | undefined {
  const [, foundPin, number] = /^Pin: ([0-9a-f]{64})\nAnchors: ([1-9]\d?)\n/.exec(text) ?? []
  if (foundPin !== pin) return undefined
  const count = Number(number)
  try {
    const certificates = parseCertificates(text)
    if (certificates.length < count) return undefined
    const anchors = certificates.slice(0, count)
    parseTrust(
      anchors.map(({ pem }) => pem),
      'learned anchors',
    )
    return { anchors, intermediates: certificates.slice(count) }
  } catch {
    return undefined
  }
}

/** The same for the same certificates in another order. */
function digestOf(certificates: readonly Certificate[]): string {
  const fingerprints = new Set(certificates.map(({ fingerprint256 }) => fingerprint256))
  return createHash('sha256')
    .update([...fingerprints].toSorted().join())
    .digest('hex')
}
