import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Session } from './session.ts'

/** The part of mqemitter, aedes' message bus, that tells whether it is at rest. */
export interface MessageBus {
  /** Messages that are being handed to their subscribers. */
  readonly current: number
  /** Messages that wait for their turn. */
  readonly length: number
}

/** Longest wait for messages under way, and again for what is in the send buffers of those who listen. */
const patienceMs = 1_000

/** A few devices do not take the whole time: no more than this passes between one and the next, in milliseconds. */
const longestGapMs = 10

/** How often those whose turn has come are sent away, in milliseconds. */
const stepMs = 20

/**
 * Ends all sessions without cutting off what was acknowledged. aedes writes the PUBACK of a QoS 1 message before
 * it forwards it, so the order matters: first the devices go, and nothing new is acknowledged to them; then
 * what was acknowledged is forwarded; then the others go, each after its send buffer is empty.
 *
 * The devices go one after the other over `spreadMs`, the oldest session first, so that they do not all knock at
 * once at whoever takes them next. Until its turn comes a device is served as always.
 */
export async function drain(
  sessions: ReadonlySet<Session>,
  bus: MessageBus,
  spreadMs: number,
): Promise<void> {
  const all = [...sessions]
  const devices = all.filter(({ identity }) => identity.role === 'device')
  await endInTurn(devices, Math.min(spreadMs, devices.length * longestGapMs))
  await atRest(bus)
  const others = all.filter((session) => !devices.includes(session))
  await Promise.all(others.map((session) => leave(session, () => session.finish('shutdown', patienceMs))))
}

async function endInTurn(devices: readonly Session[], durationMs: number): Promise<void> {
  const began = performance.now()
  const leaving: Promise<void>[] = []
  while (leaving.length < devices.length) {
    const elapsed = performance.now() - began
    // Nobody's turn is waited for when all who are left have left by themselves.
    const isOver = elapsed >= durationMs || devices.every(({ stream }) => stream.destroyed)
    const due = isOver ? devices.length : Math.floor((devices.length * elapsed) / durationMs)
    for (const session of devices.slice(leaving.length, due)) {
      leaving.push(leave(session, () => session.end('shutdown')))
    }
    await delay(isOver ? 0 : Math.min(stepMs, durationMs - elapsed))
  }
  await Promise.all(leaving)
}

async function leave(session: Session, end: () => void): Promise<void> {
  end()
  if (session.state === 'registered') await session.gone
}

/** A message passes a few asynchronous steps before it is on the bus: rest is rest for several turns. */
async function atRest(bus: MessageBus): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (let quiet = 0; quiet < 10 && performance.now() < deadline;) {
    quiet = bus.current === 0 && bus.length === 0 ? quiet + 1 : 0
    await (quiet === 0 ? delay(1) : nextTurn())
  }
}
