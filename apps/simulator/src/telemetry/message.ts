import * as z from 'zod'

const telemetrySchema = z.strictObject({
  run: z.string(),
  id: z.string(),
  seq: z.int().min(1),
  sentAt: z.iso.datetime(),
  readings: z.record(z.string(), z.number()),
})

/**
 * One telemetry message: the run it belongs to (fleets may share a broker), the device's own idea of its id,
 * a sequence number from 1, the time of sending (ISO 8601), and the readings by sensor name.
 */
export type Telemetry = z.infer<typeof telemetrySchema>

/** The payload of a telemetry message, JSON. */
export function encodeTelemetry(telemetry: Telemetry): string {
  return JSON.stringify(telemetry)
}

/** The message in `payload`; undefined when it is not JSON of exactly this shape. */
export function decodeTelemetry(payload: Uint8Array): Telemetry | undefined {
  return decode(telemetrySchema, payload)
}

/** What the service side asks of a device: to say who it is. `id` names this one question. */
export function encodeCommand(id: string): string {
  return JSON.stringify({ id })
}

const resultSchema = z.union([
  z.object({
    id: z.string(),
    ok: z.literal(true),
    result: z.strictObject({
      device: z.string(),
      /** Serial number of the certificate that the device is connected with. */
      serial: z.string(),
      station: z.string(),
    }),
  }),
  z.object({ id: z.string(), ok: z.literal(false), error: z.string() }),
])

/** A device's answer, in the form that device-client's `serveCommands` gives it. */
export type CommandResult = z.infer<typeof resultSchema>

/** The result in `payload`; undefined when it is not JSON of this shape. */
export function decodeResult(payload: Uint8Array): CommandResult | undefined {
  return decode(resultSchema, payload)
}

function decode<T>(schema: z.ZodType<T>, payload: Uint8Array): T | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined
  }
  const result = schema.safeParse(value)
  return result.success ? result.data : undefined
}
