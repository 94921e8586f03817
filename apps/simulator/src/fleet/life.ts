import {
  connectMqtt,
  createEstClient,
  type DeviceConnection,
  enrollDevice,
  type Enrollment,
  serveCommands,
  type StoredIdentity,
  type Trust,
} from '@fleetroot/device-client'
import type { KeyAlgorithm } from '@fleetroot/pki'
import type { Census } from '../accounting/census.ts'
import { type Phase, describeThrown } from '../accounting/failures.ts'
import type { Agenda, Clock } from '../schedule/agenda.ts'
import { nextSlot } from '../schedule/arrivals.ts'
import { concurrencyLimit } from '../schedule/concurrency.ts'
import { type Commander, identify } from '../subscriber/commander.ts'
import { encodeTelemetry } from '../telemetry/message.ts'
import { telemetryTopic } from '../telemetry/topic.ts'
import type { FleetDevice } from './device.ts'
import { isRefusal } from './refusal.ts'
import type { Renewing } from './renewing.ts'

/** What all devices of a run share. */
export interface LifeContext {
  readonly run: string
  readonly census: Census
  readonly clock: Clock
  readonly agenda: Agenda
  readonly commander: Commander
  readonly renewing: Renewing
  readonly enrollmentUrl: string
  readonly brokerUrl: string
  readonly trust: Trust
  /** Looks whether there are other trust anchors. */
  readonly refreshTrust: () => Promise<unknown>
  readonly keyAlgorithm: KeyAlgorithm
  /** Time between two messages of a device, in milliseconds. */
  readonly intervalMs: number
  /** Enrollments, and connections, under way at once. */
  readonly concurrency: number
  /** The run is stopped from outside: servers may go away from now on, which is no failure. */
  readonly stop: AbortSignal
  /** Gives up what is still trying. */
  readonly giveUp: AbortSignal
}

/** What a device does, step by step. No step rejects: what goes wrong is counted, and ends that device's run. */
export interface Life {
  /** Gets a certificate if the device has none; true if it has an identity then. `dueAt`: when it arrived. */
  enroll(device: FleetDevice, dueAt: number): Promise<boolean>
  /** Connects, subscribes its commands and starts to publish; true when it is connected. */
  connect(device: FleetDevice, dueAt: number): Promise<boolean>
  /** No device publishes any more; acknowledgements still come in. */
  stopPublishing(): void
  close(devices: readonly FleetDevice[]): Promise<void>
}

/** How far apart the stops of programs that are stopped together may be. */
const stopGraceMs = 1_000

/** The life of the devices of one run. */
export function createLife(context: LifeContext): Life {
  const { run, census, clock, agenda, commander, renewing, intervalMs, stop, giveUp, trust } = context
  const enrollLimit = concurrencyLimit(context.concurrency)
  const connectLimit = concurrencyLimit(context.concurrency)
  let publishing = true
  let closing = false

  function fail(device: FleetDevice, phase: Phase, thrown: unknown): void {
    const { code, message } = describeThrown(thrown)
    if (isRefusal(code)) census.refused++
    census.failures.add({ device: device.id, phase, code, message })
  }

  async function requestCertificate(device: FleetDevice): Promise<Enrollment> {
    // A client each, as if each device were a machine of its own: nobody's connection is reused.
    const est = createEstClient({ url: context.enrollmentUrl, trust })
    const { id, store, token } = device
    device.token = undefined
    try {
      return await enrollDevice({
        id,
        keyAlgorithm: context.keyAlgorithm,
        est,
        store,
        ...(token === undefined ? {} : { credential: { token } }),
        retry: { maxAttempts: 5 },
        signal: giveUp,
      })
    } finally {
      est.close()
    }
  }

  function publish(device: FleetDevice, dueAt: number): void {
    const { connection } = device
    if (!publishing || connection === undefined) return
    const sequence = ++device.sequence
    census.ledger.published(device.id, sequence, dueAt)
    const payload = encodeTelemetry({
      run,
      id: device.id,
      seq: sequence,
      sentAt: new Date().toISOString(),
      readings: device.station.read(),
    })
    connection.publish(telemetryTopic(device.id, device.station.kind), payload).then(
      () => census.ledger.acknowledged(device.id, sequence),
      (thrown: unknown) => {
        if (!closing) fail(device, 'publish', thrown)
      },
    )
  }

  /** Publishes at `at` and ever after on its grid; a late scheduler sends late, it leaves nothing out. */
  function publishFrom(device: FleetDevice, at: number): void {
    agenda.at(at, () => {
      publish(device, at)
      if (publishing) publishFrom(device, at + intervalMs)
    })
  }

  async function connectDevice(device: FleetDevice, identity: StoredIdentity): Promise<DeviceConnection> {
    const connection = await connectMqtt({
      url: context.brokerUrl,
      trust,
      refreshTrust: context.refreshTrust,
      identity,
      firstConnection: 'retry',
      signal: giveUp,
    })
    let online = true
    census.online++
    connection.on('online', () => {
      // A connection that changed its certificate was not offline in between.
      if (!online) census.online++
      online = true
    })
    connection.on('offline', (reason) => {
      // Attempts that fail while it is offline come here as well.
      if (online) census.online--
      online = false
      // A terminal and nx stop all three programs at once, and the broker may be the first to go: what is
      // followed by our own stop is no failure.
      clock.after(stopGraceMs, () => {
        if (!closing && !stop.aborted) fail(device, 'connect', reason)
      })
    })
    connection.on('problem', (problem) => fail(device, 'command', problem))
    return connection
  }

  function countSession({ info }: DeviceConnection): void {
    const session = `${info?.tlsVersion ?? 'TLS'} ${info?.tlsGroup ?? ''}`.trim()
    census.tls.set(session, (census.tls.get(session) ?? 0) + 1)
  }

  async function serve(device: FleetDevice, connection: DeviceConnection, identity: StoredIdentity) {
    const { id, station } = device
    const serialInUse = () => (device.identity ?? identity).certificate.serial
    try {
      await serveCommands(connection, {
        [identify]: () => ({ device: id, serial: serialInUse(), station: station.kind }),
      })
      commander.ask({ id, serial: serialInUse() })
    } catch (thrown) {
      if (!closing) fail(device, 'command', thrown)
    }
  }

  return {
    async enroll(device, dueAt) {
      if (device.identity !== undefined) return true
      try {
        const { identity, reused } = await enrollLimit(() => requestCertificate(device))
        device.identity = identity
        if (reused) census.reused++
        else census.enrolled++
        census.enroll.record(clock.now() - dueAt)
        return true
      } catch (thrown) {
        fail(device, 'enroll', thrown)
        return false
      }
    },

    async connect(device, dueAt) {
      const { identity } = device
      if (identity === undefined) return false
      try {
        const connection = await connectLimit(() => connectDevice(device, identity))
        device.connection = connection
        census.connected++
        census.connect.record(clock.now() - dueAt)
        countSession(connection)
        // The first reading at once, as a device does that was just switched on; then its own beat.
        const now = clock.now()
        publish(device, now)
        publishFrom(device, nextSlot({ offset: device.offsetMs, intervalMs, now }))
        void serve(device, connection, identity)
        renewing.keepDevice(device, identity, connection)
        return true
      } catch (thrown) {
        fail(device, 'connect', thrown)
        return false
      }
    },

    stopPublishing() {
      publishing = false
    },

    async close(devices) {
      publishing = false
      closing = true
      const connections = devices.flatMap(({ connection }) => connection ?? [])
      await Promise.all(connections.map((connection) => connection.close({ timeoutMs: 1_000 })))
      census.online = 0
    },
  }
}
