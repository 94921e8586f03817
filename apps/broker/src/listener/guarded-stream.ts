import type { Duplex } from 'node:stream'
import { PacketGuard, type GuardRefusal, type PacketLimits } from './packet-guard.ts'

/**
 * Puts a packet guard between a stream and its reader, who must use `stream.read()` as aedes does. On a
 * refusal the reader gets nothing of what was read, `onRefusal` is told once, and the stream is destroyed.
 *
 * The guard sits in `read` itself: a Transform or Duplex in between would cost every session two more
 * stream states and buffers (about 5 KiB) and every chunk a trip through the stream machinery.
 * Until `read` is called, Node holds at most the stream's high-water mark (64 KiB) of unread bytes.
 *
 * `read()` also returns all that is there, as it did before Node 26 (nodejs/node#60441: one buffer at a time).
 * aedes 1.2.0 reads once for each `readable` event: when two TLS records or WebSocket frames came together
 * and no packet was complete in the first, the second would lie there until the client sent something more.
 */
export function guardStream(
  stream: Duplex,
  limits: PacketLimits,
  onRefusal: (refusal: GuardRefusal) => void,
): void {
  const guard = new PacketGuard(limits)
  const read = stream.read.bind(stream) as (size?: number) => Buffer | null

  function readAll(first: Buffer): Buffer {
    if (stream.readableLength === 0) return first
    const chunks = [first]
    for (let next = read(); next !== null; next = read()) chunks.push(next)
    return Buffer.concat(chunks)
  }

  stream.read = (size?: number) => {
    const first = read(size)
    if (first === null || stream.destroyed) return null
    const bytes = readAll(first)
    const refusal = guard.inspect(bytes)
    if (refusal === undefined) return bytes
    onRefusal(refusal)
    stream.destroy()
    return null
  }
}
