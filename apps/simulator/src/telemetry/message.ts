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

const commandSchema = z.strictObject({
  run: z.string(),
  command: z.literal('identify'),
  nonce: z.string().min(1),
})

/** What the service side asks of a device: to say who it is, for this nonce. */
export type Command = z.infer<typeof commandSchema>

/** The payload of a command, JSON. */
export function encodeCommand(command: Command): string {
  return JSON.stringify(command)
}

/** The command in `payload`; undefined when it is not one that this device knows. */
export function decodeCommand(payload: Uint8Array): Command | undefined {
  return decode(commandSchema, payload)
}

const resultSchema = z.strictObject({
  run: z.string(),
  nonce: z.string(),
  id: z.string(),
  /** Serial number of the certificate that the device is connected with. */
  serial: z.string(),
  station: z.string(),
})

/** A device's answer to `identify`. */
export type CommandResult = z.infer<typeof resultSchema>

/** The payload of a command's result, JSON. */
export function encodeResult(result: CommandResult): string {
  return JSON.stringify(result)
}

/** The result in `payload`; undefined when it is not JSON of exactly this shape. */
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
