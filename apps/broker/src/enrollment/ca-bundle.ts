import { readFile } from 'node:fs/promises'
import { type CaBundle, fetchCaBundle, parseCaBundle } from '@fleetroot/device-client'
import { type Certificate, formatName, isIssuedBy, parseCertificate, parseCertificates } from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import type { TlsMode } from '@fleetroot/tls-config'
import type { Issuers } from '../admission/peer.ts'
import { BrokerError } from '../error.ts'
import type { Deadline } from './deadline.ts'

/** Copy of what the enrollment server last said, in the data directory. */
const copyFile = 'broker/ca-bundle.json'

/** Where the bundle comes from. */
export interface BundleSource {
  readonly url: string
  /** The pinned root, PEM. */
  readonly root: string
  readonly mode: TlsMode
  readonly data: DataDirectory
  readonly deadline: Deadline
}

/**
 * The issuing CAs and whom they issue for, each proven to be signed by the pinned root. Asks the enrollment
 * server; when it cannot be reached and there is a copy of its last answer, that is used, so that the broker
 * starts without it. Without a copy it waits. Throws `BrokerError` `enrollment-answer-invalid`, or what
 * `fetchCaBundle` throws.
 */
export async function obtainIssuers(
  source: BundleSource,
): Promise<{ issuers: Issuers; isCopy: boolean; failure?: unknown }> {
  const { url, root, mode, data, deadline } = source
  const fetchOnce = () => fetchCaBundle({ url, trust: [root], mode, timeoutMs: 5_000 })
  const copy = await readCopy(data)
  if (copy !== undefined) {
    try {
      const fresh = await fetchOnce()
      const issuers = verifyBundle(fresh, root)
      await keep(data, fresh)
      return { issuers, isCopy: false }
    } catch (failure) {
      return { issuers: verifyBundle(copy, root), isCopy: true, failure }
    }
  }
  const bundle = await deadline.insist(`the enrollment server at ${url}`, fetchOnce)
  const issuers = verifyBundle(bundle, root)
  await keep(data, bundle)
  return { issuers, isCopy: false }
}

/** Checks a bundle against the pinned root and parses it. Throws `BrokerError` `enrollment-answer-invalid`. */
export function verifyBundle(bundle: CaBundle, root: string): Issuers {
  const anchors = parseCertificates(root)
  if (!anchors.some(({ der }) => der.equals(parseCertificate(bundle.root).der))) {
    throw invalid(
      'its root is not the one that is pinned here; compare the trust file with the server’s public/root.crt',
    )
  }
  const issuing = (pem: string): Certificate => {
    const certificate = parseCertificate(pem)
    const isBelow = anchors.some((anchor) => isIssuedBy(certificate, anchor))
    const isRoot = certificate.subjectDer.equals(certificate.issuerDer)
    if (!isBelow || isRoot || certificate.basicConstraints?.ca !== true) {
      throw invalid(`${formatName(certificate.subject)} is not an issuing CA below the pinned root`)
    }
    return certificate
  }
  const devices = bundle.issuers.devices.map(issuing)
  const services = bundle.issuers.services.map(issuing)
  const shared = devices.find((device) => services.some(({ der }) => der.equals(device.der)))
  if (shared !== undefined) {
    throw invalid(
      `${formatName(shared.subject)} issues for devices and for services, so that a role proves nothing`,
    )
  }
  return { devices, services, trustDomain: bundle.trustDomain }
}

async function readCopy(data: DataDirectory): Promise<CaBundle | undefined> {
  try {
    return parseCaBundle(await readFile(data.file(copyFile), 'utf8'))
  } catch {
    // Missing, or damaged and worth as little: the server has the original.
    return undefined
  }
}

async function keep(data: DataDirectory, bundle: CaBundle): Promise<void> {
  await data.write(copyFile, `${JSON.stringify(bundle, undefined, 2)}\n`)
}

function invalid(problem: string): BrokerError {
  return new BrokerError(
    'enrollment-answer-invalid',
    `the CA bundle of the enrollment server is not usable: ${problem}`,
  )
}
