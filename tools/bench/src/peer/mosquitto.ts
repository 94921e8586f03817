import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@fleetroot/harness'
import { versionOf } from '../measure/machine.ts'
import { startOnPort, type Started } from './process.ts'

/** mosquitto's version, or undefined where it is not installed. */
export const mosquittoVersion = (): string | undefined =>
  versionOf('mosquitto', ['-h'], /mosquitto version [\d.]+/)

const acl = `pattern readwrite devices/%u/#
pattern read fleet/broadcast/#
user bench-service
topic read devices/#
topic write fleet/broadcast/#
`

/**
 * mosquitto as an operator who wants the same as from our broker would run it: client certificates required, the CN
 * is the user name, an ACL binds each device to its own topics, and no Nagle delay (which makes QoS 1 five times slower).
 */
export async function startMosquitto(
  folder: string,
  pem: { ca: string; cert: string; key: string },
): Promise<Started & { port: number }> {
  const port = await freePort()
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return join(folder, name)
  }
  const config = [
    `listener ${port} 127.0.0.1`,
    `cafile ${file('mosquitto-ca.pem', pem.ca)}`,
    `certfile ${file('mosquitto-cert.pem', pem.cert)}`,
    `keyfile ${file('mosquitto-key.pem', pem.key)}`,
    'require_certificate true',
    'use_identity_as_username true',
    `acl_file ${file('mosquitto-acl', acl)}`,
    'set_tcp_nodelay true',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'persistence true',
    `persistence_location ${folder}/`,
    'log_type error',
    // Debian's mosquitto gives up root for an account that cannot read our private folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ]
  const started = await startOnPort(
    'mosquitto',
    ['-c', file('mosquitto.conf', `${config.join('\n')}\n`)],
    port,
  )
  return { ...started, port }
}
