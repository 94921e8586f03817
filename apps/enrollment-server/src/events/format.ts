import type { RegistryEvent } from '../registry/event-log.ts'

/** An event as a server-sent one: three lines and an empty one. JSON has no line feeds of its own. */
export function formatEvent({ id, type, atMs, deviceId, certificates }: RegistryEvent): string {
  const data = { id, type, at: new Date(atMs).toISOString(), deviceId, certificates }
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Says that events were missed for good: fetch the CRLs, then go on from `id`. */
export function formatReset(id: number): string {
  return `id: ${id}\nevent: reset\ndata: ${JSON.stringify({ id, type: 'reset' })}\n\n`
}

/** A comment, which says that the connection is alive. */
export const heartbeat = ': alive\n\n'
