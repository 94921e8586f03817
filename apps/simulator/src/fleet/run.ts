import { createEstClient, openTrustAnchors } from '@fleetroot/device-client'
import type { DataDirectory } from '@fleetroot/service'
import type { Census } from '../accounting/census.ts'
import { openOperator } from '../operator/operator.ts'
import { buildReport, type FleetReport } from '../report/report.ts'
import { versions } from '../report/versions.ts'
import { createAgenda } from '../schedule/agenda.ts'
import { arrivalSchedule } from '../schedule/arrivals.ts'
import { monotonicClock as clock } from '../schedule/clock.ts'
import { type Commander, createCommander } from '../subscriber/commander.ts'
import { createInbox } from '../subscriber/inbox.ts'
import { serviceIdentity } from '../subscriber/service-identity.ts'
import { openSubscriber } from '../subscriber/subscriber.ts'
import { commandedWords, connectedWords, enrolledWords, preparedWords } from '../view/narration.ts'
import type { View } from '../view/view.ts'
import { deviceIds } from './device-ids.ts'
import { createDevices } from './device.ts'
import { sendOff, settle } from './fleet.ts'
import { interruption } from './interruption.ts'
import { createLife } from './life.ts'
import type { Plan } from './plan.ts'
import { prepare } from './preparation.ts'
import { createRenewing } from './renewing.ts'
import { watchProgress } from './progress.ts'

// After a signal the process has 10 s in all, of which closing the connections takes its share.
const giveUpAfterSignalMs = 2_000
const settleAfterSignalMs = 3_000

/**
 * Runs a fleet of `census.devices` devices against servers that are ready, from registration to the last
 * message, and resolves with its report. `signal` ends it early and gracefully. Rejects with SimulatorError
 * when the run cannot begin: no operator certificate, no certificate of its own, no subscriber.
 */
export async function runFleet(options: {
  plan: Plan
  census: Census
  data: DataDirectory
  view: View
  signal: AbortSignal
}): Promise<FleetReport> {
  const { plan, census, data, view, signal } = options
  const { run, seed, enrollmentUrl, brokerUrl } = plan
  const { begun: interrupted, giveUp } = interruption(signal, giveUpAfterSignalMs)
  const intervalMs = 1_000 / plan.messagesPerSecond
  const startedAt = new Date()
  await using resources = new AsyncDisposableStack()
  const progress = watchProgress({ census, clock, view, durationMs: plan.durationMs })
  resources.defer(() => progress.close())

  const operator = openOperator({ data, url: enrollmentUrl, signal })
  resources.defer(() => operator.close())
  // One for the fleet: what its devices learn of the roots they would all learn alike.
  const trust = await openTrustAnchors({ file: data.file('simulator/anchors.pem'), pin: operator.trust })
  const est = createEstClient({ url: enrollmentUrl, trust })
  resources.defer(() => est.close())
  const own = await serviceIdentity({ data, enrollmentUrl, operator, trust, signal })
  const subscriber = await openSubscriber({
    url: brokerUrl,
    trust,
    refreshTrust: () => est.refreshTrust(),
    identity: own.identity,
    onTrouble: (code, message) => {
      // Ctrl-C reaches the servers as well: that they go away then is no failure.
      if (!signal.aborted) census.failures.add({ phase: 'deliver', code, message })
    },
    signal,
  })
  resources.defer(() => subscriber.close())
  const commander = createCommander({
    census,
    publish: (topic, payload) => subscriber.publish(topic, payload),
  })
  subscriber.onMessage(createInbox({ run, census, commander, now: () => clock.now() }))
  view.say(
    'subscribe',
    `devices/# with a service certificate${own.reused ? '' : ', just enrolled'}, to count what arrives`,
  )

  const arrivals = arrivalSchedule({ seed, devices: census.devices, perSecond: plan.arrivalsPerSecond })
  const devices = createDevices({ ids: deviceIds(plan.idPrefix, census.devices), seed, intervalMs, data })
  const tokenSeconds = 3_600 + Math.ceil((arrivals.at(-1) ?? 0) / 1_000)
  const prepared = await prepare({ devices, operator, census, now: startedAt, tokenSeconds, signal })
  view.say('register', preparedWords(census, prepared))

  const { concurrency } = plan
  const renewing = createRenewing({ census, commander, est, concurrency, stop: signal })
  renewing.keepSubscriber(own, subscriber)
  const agenda = createAgenda(clock)
  resources.defer(() => agenda.close())
  const life = createLife({
    ...plan,
    census,
    clock,
    agenda,
    commander,
    renewing,
    trust,
    refreshTrust: () => est.refreshTrust(),
    intervalMs,
    stop: signal,
    giveUp,
  })
  resources.defer(() => life.close(devices))
  resources.defer(() => renewing.close())
  const firstArrivalAt = clock.now()
  const fleet = sendOff({ devices, arrivals, startAt: firstArrivalAt, agenda, clock, life })

  progress.enter('arrive')
  await Promise.race([fleet.enrolled, interrupted])
  const enrolled = enrolledWords(census)
  if (enrolled !== undefined) view.say('enroll', enrolled)
  await Promise.race([fleet.connected, interrupted])
  view.say('connect', connectedWords(census))

  progress.enter('publish')
  void sayWhenAnswered(commander, census, view)
  if (census.connected > 0) await Promise.race([elapse(plan.durationMs), interrupted])

  progress.enter('settle')
  life.stopPublishing()
  agenda.close()
  const withinMs = signal.aborted ? Math.min(plan.settleMs, settleAfterSignalMs) : plan.settleMs
  await settle({
    fleet,
    census,
    clock,
    withinMs,
    isGone: () => signal.aborted && !subscriber.online,
    repeatCommands: () => commander.repeat(),
  })

  return buildReport(census, {
    ...plan,
    startedAt: startedAt.toISOString(),
    durationMs: clock.now() - firstArrivalAt,
    endedBy: signal.aborted ? 'signal' : 'duration',
    versions,
  })
}

async function sayWhenAnswered(commander: Commander, census: Census, view: View): Promise<void> {
  await commander.allAnswered
  view.say('command', commandedWords(census))
}

/** Resolves after `durationMs` milliseconds; never when it is undefined. */
function elapse(durationMs: number | undefined): Promise<void> {
  if (durationMs === undefined) return new Promise(() => undefined)
  return new Promise((resolve) => {
    clock.after(durationMs, resolve)
  })
}
