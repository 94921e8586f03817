import { DeviceClientError } from '../error.ts'
import type { DeviceConnection } from './connection.ts'
import type { Message } from './message.ts'

/** A command that arrived on `devices/<id>/commands/<name>`. */
export interface Command {
  name: string
  /** The `id` of a JSON payload: names this one command, so that it is carried out once. */
  id: string | undefined
  /** The `arguments` of a JSON payload. */
  arguments: unknown
  payload: Buffer
}

/** Carries out a command; what it returns goes back as the result, what it throws as the error. */
export type CommandHandler = (command: Command) => unknown

/** Ends the service. */
export interface CommandService {
  close(): Promise<void>
}

/** Results that are kept so that a repeated command is answered and not repeated. */
const REMEMBERED_RESULTS = 32

/**
 * Subscribes `devices/<id>/commands/#` and answers every command on `devices/<id>/commands/<name>/result` with
 * JSON: `{"id", "ok": true, "result"}` or `{"id", "ok": false, "error"}`. `id` is that of the command's JSON
 * payload (`{"id": "…", "arguments": …}`), null if it has none. QoS 1 may deliver a command twice: one whose id
 * was seen among the last 32 is answered with the first result and not carried out again. A command without
 * a handler is answered with an error.
 *
 * Throws DeviceClientError `subscribe-refused` or `connection-closed`. A result that cannot be published any
 * more, because the connection was closed or its outbox is full, is given up.
 */
export async function serveCommands(
  connection: DeviceConnection,
  handlers: Readonly<Record<string, CommandHandler>>,
): Promise<CommandService> {
  const prefix = `devices/${connection.clientId}/commands/`
  const results = new Map<string, Promise<string>>()

  const stopListening = connection.onMessage((message) => {
    const command = commandOf(message, prefix)
    // A rejected publish has its own event (`dropped`) or comes after `close`.
    if (command) answer(command).catch(() => undefined)
  })

  async function answer(command: Command): Promise<void> {
    await connection.publish(`${prefix}${command.name}/result`, await resultOf(command))
  }

  async function resultOf(command: Command): Promise<string> {
    const key = command.id === undefined ? undefined : JSON.stringify([command.name, command.id])
    const known = key === undefined ? undefined : results.get(key)
    if (known) return known
    const result = carryOut(
      command,
      Object.hasOwn(handlers, command.name) ? handlers[command.name] : undefined,
    )
    if (key !== undefined) {
      results.set(key, result)
      const oldest = results.size > REMEMBERED_RESULTS ? results.keys().next().value : undefined
      if (oldest !== undefined) results.delete(oldest)
    }
    return result
  }

  try {
    await connection.subscribe(`${prefix}#`, { qos: 1 })
  } catch (error) {
    stopListening()
    throw error
  }
  return {
    async close() {
      stopListening()
      await connection.unsubscribe(`${prefix}#`)
    },
  }
}

/** Undefined for what is no command: other topics, deeper levels, and our own results, which the filter matches. */
function commandOf(message: Message, prefix: string): Command | undefined {
  if (!message.topic.startsWith(prefix)) return undefined
  const name = message.topic.slice(prefix.length)
  if (name === '' || name.includes('/')) return undefined
  const { payload } = message
  const json = parseObject(payload)
  const id = json?.['id']
  return { name, payload, id: typeof id === 'string' ? id : undefined, arguments: json?.['arguments'] }
}

function parseObject(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

async function carryOut(command: Command, handler: CommandHandler | undefined): Promise<string> {
  const id = command.id ?? null
  try {
    if (!handler)
      throw new DeviceClientError('handler-failed', `this device knows no command "${command.name}"`)
    return JSON.stringify({ id, ok: true, result: (await handler(command)) ?? null })
  } catch (error) {
    return JSON.stringify({ id, ok: false, error: error instanceof Error ? error.message : String(error) })
  }
}
