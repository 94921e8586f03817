import type { Duplex } from 'node:stream'
import { PacketGuard, type GuardRefusal, type PacketLimits } from './packet-guard.ts'

/**
 * Puts a packet guard between a stream and its reader, who must use `stream.read()` as aedes does. On a
 * refusal the reader gets nothing of the chunk, `onRefusal` is told once, and the stream is destroyed.
 *
 * The guard sits in `read` itself: a Transform or Duplex in between would cost every session two more
 * stream states and buffers (about 5 KiB) and every chunk a trip through the stream machinery.
 * Until `read` is called, Node holds at most the stream's high-water mark (64 KiB) of unread bytes.
 */
export function guardStream(
  stream: Duplex,
  limits: PacketLimits,
  onRefusal: (refusal: GuardRefusal) => void,
): void {
  const guard = new PacketGuard(limits)
  // Taken from the prototype chain on purpose: `this` must stay the stream.
  const read = stream.read.bind(stream) as (size?: number) => Buffer | null
  stream.read = (size?: number) => {
    const chunk = read(size)
    if (chunk === null || stream.destroyed) return null
    const refusal = guard.inspect(chunk)
    if (refusal === undefined) return chunk
    onRefusal(refusal)
    stream.destroy()
    return null
  }
}
