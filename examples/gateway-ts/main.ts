/**
 * A gateway in TypeScript: enrolls with its one-time token, connects, publishes a reading every few seconds, answers commands, and
 * renews its certificate for as long as it runs. `@fleetroot/device-client` does the work; this is all that is left.
 *
 *   ID=gw-1 ROOT=root.crt STORE=gw-1 TOKEN_FILE=token npx node main.ts
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { uptime } from 'node:os'
import {
  connectMqtt,
  createEstClient,
  createRenewals,
  enrollDevice,
  openIdentityStore,
  openTrustAnchors,
  serveCommands,
} from '@fleetroot/device-client'

const need = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set`)
  return value
}
const id = need('ID')
const directory = need('STORE')
const tokenFile = process.env['TOKEN_FILE']
const intervalMs = Number(process.env['INTERVAL'] ?? 10) * 1000
const say = (...words: string[]): void => void process.stdout.write(`${words.join(' ')}\n`)

// The root that the gateway was provisioned with, and the roots that this one leads to.
const pin = [readFileSync(need('ROOT'), 'utf8')]
const trust = await openTrustAnchors({ file: join(directory, 'anchors.pem'), pin })
const est = createEstClient({ url: `https://${process.env['EST'] ?? 'localhost:8443'}`, trust })
const store = openIdentityStore(directory)

const { identity, how } = await enrollDevice({
  id,
  est,
  store,
  whenDue: 'keep',
  retry: {},
  ...(tokenFile !== undefined && { credential: { token: readFileSync(tokenFile, 'utf8').trim() } }),
})
say(how, id, identity.certificate.serial)

const url = `mqtts://${process.env['BROKER'] ?? 'localhost:8883'}`
const refreshTrust = async () => est.refreshTrust()
const connection = await connectMqtt({ url, trust, identity, firstConnection: 'retry', refreshTrust })
connection.on('offline', (reason, retryInMs) => say('offline', reason.message, `again in ${retryInMs} ms`))
const commands = await serveCommands(connection, { read: () => ({ uptime: uptime() }) })

const renewals = createRenewals()
renewals.keep({
  est,
  store,
  identity,
  probe: async (staged) => connection.replaceIdentity(staged),
  onRenewed: ({ certificate }) => say('renewed', id, certificate.serial),
  onFailure: (error, retryInMs) => say('not renewed', String(error), `again in ${retryInMs} ms`),
  onExhausted: (error) => say('ask the operator for a token:', error.message),
})

const publish = (): void => {
  const topic = `devices/${id}/telemetry/uptime`
  connection.publish(topic, JSON.stringify({ seconds: uptime() })).then(
    () => say('published', topic),
    (error: unknown) => say('not published', String(error)),
  )
}
const timer = setInterval(publish, intervalMs)
publish()

process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())
async function stop(): Promise<void> {
  clearInterval(timer)
  await renewals.close()
  await commands.close()
  await connection.close()
  est.close()
}
