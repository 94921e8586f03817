import { readFile } from 'node:fs/promises'
import {
  type CaBundle,
  DeviceClientError,
  fetchCaBundle,
  parseCaBundle,
  retryVerdict,
  type TrustAnchors,
} from '@fleetroot/device-client'
import { formatName, parseCertificate } from '@fleetroot/pki'
import type { DataDirectory, Logger } from '@fleetroot/service'
import type { TlsMode } from '@fleetroot/tls-config'
import { BrokerError } from '../error.ts'
import type { Deadline } from '../enrollment/deadline.ts'
import type { Authorities } from './authorities.ts'
import { verifyBundle } from './bundle.ts'

/** Copy of what the enrollment server last said, in the data directory. */
const copyFile = 'broker/ca-bundle.json'

const timeoutMs = 5_000

/** Where the authorities come from. */
export interface AuthoritiesSource {
  /** `https://host:port` of the enrollment server. */
  readonly url: string
  /** The roots that are trusted: the pinned one, and those that follow from it. */
  readonly anchors: TrustAnchors
  readonly mode: TlsMode
  readonly data: DataDirectory
  readonly log: Logger
}

/** What changed, and what it is now. */
export type AuthoritiesListener = (next: Authorities, before: Authorities) => void

/**
 * The CAs that the broker trusts, kept up to date while it runs. Asks the enrollment server; when it cannot be
 * reached and there is a copy of its last answer, that is used, so that the broker starts without it. Without a
 * copy it waits. Throws `BrokerError` `enrollment-answer-invalid`, or what `fetchCaBundle` throws.
 */
export async function followAuthorities(
  source: AuthoritiesSource & { readonly deadline: Deadline },
): Promise<FollowedAuthorities> {
  const { url, anchors, data, log, deadline } = source
  const copy = await readCopy(source)
  if (copy === undefined) {
    const bundle = await deadline.insist(`the enrollment server at ${url}`, () => fetchBundle(source))
    return new FollowedAuthorities(source, await adopt(bundle, anchors, data))
  }
  const followed = new FollowedAuthorities(source, copy)
  try {
    await followed.refresh()
  } catch (failure) {
    // Usual when both are started at once, and no news then; an answer that is not usable is news.
    const isSilent = failure instanceof DeviceClientError && retryVerdict(failure).retry
    const reason = failure instanceof Error ? failure.message : String(failure)
    log[isSilent ? 'info' : 'warn']({ reason }, 'using the copy of the CA bundle')
  }
  return followed
}

/** Made by `followAuthorities`. */
export class FollowedAuthorities {
  readonly #source: AuthoritiesSource
  readonly #listeners = new Set<AuthoritiesListener>()
  #current: Authorities
  #refreshing: Promise<void> | undefined

  constructor(source: AuthoritiesSource, current: Authorities) {
    this.#source = source
    this.#current = current
  }

  get current(): Authorities {
    return this.#current
  }

  /** PEM: what the enrollment server is verified with. */
  get trust(): readonly string[] {
    return this.#source.anchors.pem
  }

  /** Hears of every change, in the turn in which it counts. */
  subscribe(listener: AuthoritiesListener): void {
    this.#listeners.add(listener)
  }

  /**
   * Asks the enrollment server; whoever asks meanwhile shares the answer. New roots are believed by the rule that
   * devices follow. An answer that is not usable in every part changes nothing and is thrown: `BrokerError`
   * `enrollment-answer-invalid`, or what `fetchCaBundle` throws.
   */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined))
    return this.#refreshing
  }

  async #refresh(): Promise<void> {
    const { anchors, data, log } = this.#source
    const bundle = await fetchBundle(this.#source)
    const before = this.#current
    if (bundle.trustDomain !== before.trustDomain) {
      const domains = `${bundle.trustDomain}, and this broker serves ${before.trustDomain}`
      throw new BrokerError('enrollment-answer-invalid', `the CA bundle is of the trust domain ${domains}`)
    }
    const next = await adopt(bundle, anchors, data)
    if (digestOf(next) === digestOf(before)) return
    this.#current = next
    log.info(
      { issuing: next.issuing.map(({ id, state }) => `${id} ${state}`), roots: next.roots.length },
      'other CAs are trusted now',
    )
    for (const listener of this.#listeners) listener(next, before)
  }
}

async function fetchBundle({ url, anchors, mode }: AuthoritiesSource): Promise<CaBundle> {
  return fetchCaBundle({ url, trust: anchors, mode, timeoutMs })
}

/**
 * The anchors first and then the copy: whenever the process dies, the copy that is read again holds no root that
 * an anchor had not vouched for, and a root that was dropped in between does not come back with it.
 */
async function adopt(bundle: CaBundle, anchors: TrustAnchors, data: DataDirectory): Promise<Authorities> {
  const { roots, cross, issuers } = bundle
  const answer = [...roots, ...cross, ...issuers.devices, ...issuers.services]
  const { refused } = await anchors.learn(answer.map((pem) => parseCertificate(pem)))
  const [planted] = refused
  if (planted !== undefined) {
    throw new BrokerError(
      'enrollment-answer-invalid',
      `the CA bundle has the root ${formatName(planted.subject)}, ${planted.fingerprint256.slice(0, 16)}…, for which no trusted root vouches`,
    )
  }
  const authorities = verifyBundle(bundle, anchors.certificates)
  await data.write(copyFile, `${JSON.stringify(bundle, undefined, 2)}\n`)
  return authorities
}

/** Undefined when it is missing, damaged, or not below the anchors any more: the server has the original. */
async function readCopy({ data, anchors }: AuthoritiesSource): Promise<Authorities | undefined> {
  try {
    const bundle = parseCaBundle(await readFile(data.file(copyFile), 'utf8'))
    return verifyBundle(bundle, anchors.certificates)
  } catch {
    return undefined
  }
}

/** Equal where everything is. */
function digestOf({ roots, cross, issuing }: Authorities): string {
  const prints = (list: Authorities['roots']): string[] => list.map(({ fingerprint256 }) => fingerprint256)
  return JSON.stringify([
    prints(roots),
    prints(cross),
    issuing.map(({ id, state, certificate }) => [id, state, certificate.fingerprint256]),
  ])
}
