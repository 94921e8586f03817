import { type AppContext, openDataDirectory } from '@fleetroot/service'
import { gatheredSessionRoutes } from '../admin/gathered-sessions.ts'
import { policyRoutes } from '../admin/policy-routes.ts'
import { serveOperators } from '../admin/serve-operators.ts'
import { keepTicketKeys } from '../keep-ticket-keys.ts'
import { type Knowledge, learn } from '../knowledge.ts'
import { planListeners } from '../listener/configured.ts'
import type { TicketKeys } from '../listener/ticket-keys.ts'
import { exposeActivation } from '../metrics/activation.ts'
import { exposeAuthorities } from '../metrics/authorities.ts'
import { exposeCertificate } from '../metrics/certificate.ts'
import { BrokerCounts } from '../metrics/counts.ts'
import { exposeCounts } from '../metrics/exposition.ts'
import { exposeRevocation } from '../metrics/revocation.ts'
import { exposeWorkers } from '../metrics/workers.ts'
import { openOperations } from '../operations.ts'
import type { RevocationStep } from '../revocation/revocation.ts'
import type { Running } from '../running.ts'
import type { settings } from '../settings.ts'
import type { Beginning, ToWorker } from './messages.ts'
import { toPlain } from './plain-authorities.ts'
import { expectFree, shareOf } from './share.ts'
import { Workers } from './workers.ts'

/**
 * Runs a broker of several processes: this one enrolls, renews, follows the CAs, revocations and policies, answers
 * operators, and serves nobody; it tells the workers, which serve, whatever changes, in the turn in which it changes. So
 * nothing that strangers send reaches the process that must hear of a revocation in time.
 */
export async function supervise(context: AppContext<typeof settings>): Promise<Running> {
  const { config, logger, onStop, stop } = context
  const data = await openDataDirectory(config.data)
  const serving: { workers?: Workers; known?: Knowledge } = {}
  const routes = [
    ...gatheredSessionRoutes(
      async (question) => (await serving.workers?.ask('sessions', question)) ?? [],
      logger,
    ),
    ...policyRoutes(() => policiesOf(serving), logger),
  ]
  const { operations, onWait, onReadiness } = await openOperations(context, {
    routes,
    checks: ['identity', 'revocation', 'workers'],
    others: async () => (await serving.workers?.metrics()) ?? [],
  })

  const known = await learn({ ...context, data, onWait, onReadiness })
  await expectFree(planListeners(config, known.policies))
  const ticketKeys = keepTicketKeys(context, known.revocation)
  exposeRevocation(operations.register, known.revocation, known.follower)
  exposeAuthorities(operations.register, known.authorities)
  exposeCertificate(operations.register, known.ownCertificate)
  exposeActivation(operations.register, known.activation)
  // Of operators alone: whatever else there is to count happens to the workers.
  const counts = new BrokerCounts()
  exposeCounts(operations.register, counts)

  const told = relay(known, ticketKeys)
  const workers = new Workers({
    count: config.workers,
    logLevel: config.logLevel,
    beginning: (number, ports) => begin(number, ports, { config: shareOf(config), known, ticketKeys }),
    follow: (tell) => {
      told.add(tell)
      return () => told.delete(tell)
    },
    onConnected: (serial) => known.activation.connected(serial),
    onReadiness,
    onGivenUp: (error) => {
      logger.fatal(error.message)
      stop(error.message, 1)
    },
    log: logger,
  })
  exposeWorkers(operations.register, workers)
  Object.assign(serving, { workers, known })
  onStop('workers', () => workers.stop())
  const listening = await workers.start()
  await known.follower.settled
  const administration = await serveOperators(context, known, { routes, counts })
  operations.setReady('workers')
  return { listening, administration }
}

/** What a worker goes by that begins now. */
function begin(
  number: number,
  ports: Beginning['ports'],
  { config, known, ticketKeys }: { config: Beginning['config']; known: Knowledge; ticketKeys: TicketKeys },
): Beginning {
  const { policies, authorities, identity, revocation } = known
  const { key, cert } = identity.current
  const steps: RevocationStep[] = []
  const unfollow = revocation.relay((step) => steps.push(step))
  unfollow()
  return {
    number,
    config,
    policies: policies.inForce.map(({ listener, policy }) => ({ listener, policy })),
    authorities: toPlain(authorities.current),
    identity: { key, cert },
    ticketKeys: ticketKeys.current,
    revocation: steps,
    ports,
  }
}

/** Has every change told to all who are in the set that it returns. */
function relay(known: Knowledge, ticketKeys: TicketKeys): Set<(message: ToWorker) => void> {
  const { policies, authorities, identity, revocation } = known
  const told = new Set<(message: ToWorker) => void>()
  const tellAll = (message: ToWorker): void => told.forEach((tell) => tell(message))
  policies.onChange((policy, listener) => tellAll({ kind: 'policy', change: { listener, policy } }))
  authorities.subscribe((next) => tellAll({ kind: 'authorities', authorities: toPlain(next) }))
  identity.subscribe(({ key, cert }) => tellAll({ kind: 'identity', identity: { key, cert } }))
  revocation.relay((step) => tellAll({ kind: 'revocation', step }))
  ticketKeys.follow((keys) => tellAll({ kind: 'ticket-keys', keys }))
  return told
}

/** A reload is done when it is in force in every worker. */
function policiesOf({
  known,
  workers,
}: {
  workers?: Workers
  known?: Knowledge
}): Knowledge['policies'] | undefined {
  if (known === undefined || workers === undefined) return undefined
  const { policies } = known
  return {
    ...policies,
    reload: async () => {
      await policies.reload()
      await workers.ask('settled', undefined)
    },
  }
}
