import { existsSync } from 'node:fs'
import type { Config, DataDirectory, Logger } from '@fleetroot/service'
import { createRefusalAudit } from '../audit/refusals.ts'
import { dataLock, openAuthorities } from '../authority/authorities.ts'
import type { Authority } from '../authority/authority.ts'
import { createRotation } from '../authority/rotation.ts'
import { loadManufacturers } from '../config/manufacturers.ts'
import { configuredProfiles } from '../config/profiles.ts'
import { settings } from '../config/settings.ts'
import { withAuthorization } from '../authorization/authorized.ts'
import { configuredAuthorization } from '../authorization/configured.ts'
import type { CrlPublication } from '../crl/publication.ts'
import { withDecisions } from '../enrollment/decisions.ts'
import { openEnrollment } from '../enrollment/enrollment-thread.ts'
import type { Registry } from '../registry/registry.ts'
import { countedRegistry } from './counted-registry.ts'
import { refreshIdentities } from './identities.ts'
import { startPlainListener, startSecureListener } from './listeners.ts'
import type { CrlFigures, Metrics } from './metrics.ts'
import { openStatus, type StatusServices } from './status.ts'
import { checkTrustDomain } from './trust-domain.ts'

/** What a server is started with. */
export interface ServerOptions {
  readonly config: Config<typeof settings> & { readonly host: string }
  readonly data: DataDirectory
  readonly version: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly now: () => Date
  /** Told every file that is made in the data directory, and why, where that is not plain. */
  readonly made: (file: string, why?: string) => void
  /** Takes what must be closed at the end, in the order in which it was opened. */
  readonly onStop: (what: string, close: () => Promise<void>) => void
  /** Called when a thread of the registry dies: the server cannot go on. */
  readonly onFailure: (error: Error) => void
}

/** A server that serves. */
export interface EnrollmentServer {
  readonly port: number
  readonly httpPort: number
  readonly registry: Registry
  /** Renews what is due and serves with the newest certificate. */
  refresh(): Promise<void>
}

/** Starts the server on a data directory, in which it makes whatever is missing. */
export async function startServer(options: ServerOptions): Promise<EnrollmentServer> {
  const { config, data, version, logger, metrics, now, made, onStop, onFailure } = options
  checkTrustDomain(data, config.trustDomain)

  const authorities = await openAuthorities(data, {
    passphrase: config.caPassphrase,
    passphraseFile: config.caPassphraseFile,
    algorithm: config.caKeyAlgorithm,
    now: now(),
    made,
  })

  const { host, trustDomain } = config
  const limits = {
    requestsPerMinute: config.rateLimit,
    failedTokensPerMinute: config.failedTokenLimit,
  }
  const listenerOptions = { host, authorities, logger, limits, metrics }
  const sources: { status?: StatusServices } = {}
  const plain = await startPlainListener({
    ...listenerOptions,
    port: config.httpPort,
    crls: () => sources.status?.crls,
    ocsp: () => sources.status?.ocsp,
  })
  onStop('HTTP listener', () => plain.close())

  const file = data.file('registry.db')
  // This server's own certificate is the first that a registry knows.
  if (!existsSync(file) && existsSync(data.file('enrollment-server/cert.pem'))) {
    logger.warn(
      { file },
      'the registry is new but its CAs are not: no certificate that they issued before can be renewed; restore registry.db from a backup if there is one',
    )
  }
  const publicUrl = publicUrlOf(config, plain.port)
  const profiles = configuredProfiles(config, config.profiles)
  const manufacturers = loadManufacturers(config.manufacturers)
  const authorization = configuredAuthorization(config, now)
  if (authorization) onStop('authorization service', async () => authorization.close())
  const mustAsk = authorization !== undefined
  const opened = await data.locked(dataLock, () =>
    openEnrollment(
      {
        file,
        authority: authorities.current(),
        profiles,
        trustDomain,
        publicUrl,
        mustAsk,
        manufacturers,
        approvals: { lifetimeMs: config.approvalLifetime, retryMs: config.approvalRetry },
      },
      onFailure,
    ),
  )
  onStop('registry', () => opened.registry.close())
  await auditStart(options, opened.registry)
  const status = await openStatus({
    registry: opened.registry,
    data,
    authorities,
    trustDomain,
    publicUrl,
    made,
    config,
    now,
    logger,
    onStop,
  })
  sources.status = status
  const { feed, crls, ocsp } = status
  const registry = countedRegistry(status.registry, metrics)
  metrics.watchCrls(() => crlFigures(authorities.current(), crls), now)
  const refusals = createRefusalAudit({
    registry,
    now,
    onError: (error) => logger.error({ err: error }, 'a refusal is not in the audit'),
  })
  const enroll = withDecisions(withAuthorization(opened.enroll, authorization, logger), {
    now,
    logger,
    decided: metrics.decided,
    counted: metrics,
    committed: () => feed.wake(),
    repeated: (entry) => registry.appendAudit(entry),
    refused: refusals.refused,
  })
  const rotation = createRotation(authorities, registry)
  const authority = () => authorities.current()
  const refreshed = () =>
    refreshIdentities(config, { data, registry, authority, enroll, trustDomain, now, made })
  let identity = await refreshed()
  const secure = await startSecureListener({
    ...listenerOptions,
    port: config.port,
    identity,
    registry,
    rotation,
    introductionMs: config.caIntroduction,
    enroll,
    profiles,
    trustDomain,
    tokenLifetimeMs: config.tokenLifetime,
    approvalLifetimeMs: config.approvalLifetime,
    serverKeygen: config.serverKeygen,
    bootstrap: { byManufacturer: manufacturers.length > 0, byApproval: config.approvals },
    manufacturerAnchors: manufacturers.flatMap(({ anchors }) => anchors.map(({ pem }) => pem)),
    version,
    now,
    feed,
    auditRefusal: refusals.refused,
    auditWritten: refusals.written,
    crls: () => crls,
    ocsp: () => ocsp,
  })
  onStop('HTTPS listener', () => secure.close())
  // Before the listeners: an event stream never ends by itself.
  onStop('event streams', () => feed.close())

  async function renewIdentity(): Promise<void> {
    const next = await refreshed()
    if (next.cert === identity.cert) return
    identity = next
    secure.setIdentity(next)
    logger.info({ serial: next.certificate.serial }, 'serving with a new certificate')
  }
  authorities.onChange(async (current) => {
    await opened.useAuthority(current)
    await status.follow(current)
    await renewIdentity()
    // Whom it trusts has changed in any case.
    secure.setIdentity(identity)
    logger.info({ revision: current.revision }, 'the set of CAs has changed')
  })
  // Another process changed it.
  feed.onChange(() => {
    if (feed.heads().authorities <= authorities.current().revision) return
    authorities.refresh().catch((error: unknown) => logger.error({ err: error }, 'cannot follow the CAs'))
  })
  await rotation.refresh(now())

  return {
    port: secure.port,
    httpPort: plain.port,
    registry,
    refresh: async () => {
      // Each has its own work: that one fails is no reason to let lists or certificates run out.
      const failed: unknown[] = []
      for (const step of [() => rotation.refresh(now()), () => status.refresh(), renewIdentity]) {
        await step().catch((error: unknown) => failed.push(error))
      }
      if (failed.length > 0)
        throw failed.length === 1 ? failed[0] : new AggregateError(failed, 'cannot refresh')
    },
  }
}

/** The list of every CA that is trusted. */
function crlFigures({ issuers }: Authority, crls: CrlPublication): CrlFigures[] {
  return [...issuers.keys()].flatMap((ca) => {
    const list = crls.complete(ca)
    if (!list) return []
    const { number, thisUpdate, nextUpdate } = list.crl
    return [{ ca, number, entries: list.size, thisUpdate, nextUpdate }]
  })
}

/** Writes down what the server runs with, before it decides anything; secrets are no part of it. */
async function auditStart({ config, version, now }: ServerOptions, registry: Registry): Promise<void> {
  const atMs = now().getTime()
  const shown = Object.entries(config).filter(
    ([name]) => !(name in settings && settings[name as keyof typeof settings].secret),
  )
  const about = { config: JSON.stringify(Object.fromEntries(shown)) }
  await registry.appendAudit({ type: 'config-loaded', atMs, about })
  await registry.appendAudit({ type: 'started', atMs, about: { version, pid: process.pid } })
}

/** Where certificates say that this server's plain HTTP is. */
function publicUrlOf({ publicUrl, serverNames }: ServerOptions['config'], httpPort: number): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '')
  const [name = 'localhost'] = serverNames
  return `http://${name.includes(':') ? `[${name}]` : name}:${httpPort}`
}
