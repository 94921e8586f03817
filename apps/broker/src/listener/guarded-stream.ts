import type { Duplex } from 'node:stream'
import type { InboundMeter, MeterVerdict } from '../guard/inbound-meter.ts'
import { PacketGuard, type GuardRefusal, type PacketLimits } from './packet-guard.ts'

/** What a guarded stream is measured by, and who hears what comes of it. */
export interface StreamMeter {
  readonly meter: InboundMeter
  /** The stream is not read for a while, or, when it is abuse, no more. */
  readonly onLimit: (verdict: MeterVerdict) => void
}

/**
 * Puts a packet guard between a stream and its reader, who must use `stream.read()` as aedes does. On a
 * refusal the reader gets nothing of what was read, `onRefusal` is told once, and the stream is destroyed.
 *
 * The guard sits in `read` itself: a Transform or Duplex in between would cost every session two more
 * stream states and buffers (about 5 KiB) and every chunk a trip through the stream machinery.
 * Until `read` is called, Node holds at most the stream's high-water mark (64 KiB) of unread bytes.
 *
 * With a meter, a client that sends more than it may finds nobody reading for as long as it is in debt: its bytes stay
 * in its own send buffer, and what has been read already is not lost. The debt is that of its identity: in none of its
 * sessions more than the CONNECT is read before it is paid, or each of many would have one reading for nothing.
 *
 * `read()` also returns all that is there, as it did before Node 26 (nodejs/node#60441: one buffer at a time).
 * aedes 1.2.0 reads once for each `readable` event: when two TLS records or WebSocket frames came together
 * and no packet was complete in the first, the second would lie there until the client sent something more.
 */
export function guardStream(
  stream: Duplex,
  limits: PacketLimits,
  onRefusal: (refusal: GuardRefusal) => void,
  metered?: StreamMeter,
): void {
  let isHeld = false
  const guard = new PacketGuard(limits)
  const read = stream.read.bind(stream) as (size?: number) => Buffer | null

  function readAll(first: Buffer): Buffer {
    if (stream.readableLength === 0) return first
    const chunks = [first]
    for (let next = read(); next !== null; next = read()) chunks.push(next)
    return Buffer.concat(chunks)
  }

  function hold(meter: InboundMeter): null {
    isHeld = true
    meter.wait(() => {
      isHeld = false
      if (!stream.destroyed) stream.emit('readable')
    })
    return null
  }

  stream.read = (size?: number) => {
    if (isHeld) return null
    // Others of the same identity may have sent too much. A CONNECT is read all the same: it has to come in time.
    if (metered?.meter.hasOwed === true && guard.hasConnect) {
      const { meter, onLimit } = metered
      const holdMs = meter.owedMs(performance.now())
      if (holdMs > 0) {
        onLimit({ holdMs, limit: meter.owedLimit, isAbuse: false })
        return hold(meter)
      }
    }
    const first = read(size)
    if (first === null || stream.destroyed) return null
    const bytes = readAll(first)
    const refusal = guard.inspect(bytes)
    if (refusal === undefined) {
      const verdict = metered?.meter.charge(guard.takeCounts(bytes.length), performance.now())
      if (verdict?.limit === undefined) return bytes
      metered?.onLimit(verdict)
      if (verdict.isAbuse) return null
      if (guard.hasConnect) hold(metered!.meter)
      return bytes
    }
    onRefusal(refusal)
    stream.destroy()
    return null
  }
}
