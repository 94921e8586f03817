/**
 * A whole device as a process: `main.ts <orders as JSON>`. It enrolls, connects, publishes a number ten times a
 * second, and says what happens in lines: `enrolled SERIAL`, `online RESUMED`, `acknowledged NUMBER`, `offline CODE REASON`,
 * `renewed SERIAL`, `renewal failed REASON`, `failed CODE REASON`.
 */
import { readFileSync } from 'node:fs'
import {
  connectMqtt,
  createEstClient,
  createRenewals,
  DeviceClientError,
  type DeviceConnection,
  enrollDevice,
  openIdentityStore,
  openTrustAnchors,
  renewalDue,
  type StoredIdentity,
} from '@fleetroot/device-client'
import { fromPem, toPem } from '@fleetroot/pki'
import type { DeviceOrders } from './orders.ts'

const orders = JSON.parse(process.argv[2] ?? '{}') as DeviceOrders
const { id, token, mqttUrl, renew } = orders
const say = (...words: unknown[]): void => void process.stdout.write(`${words.map(String).join(' ')}\n`)
const reason = (error: unknown): string =>
  error instanceof DeviceClientError ? `${error.code} ${error.message}` : String(error)

const pin = fromPem(readFileSync(orders.trustFile, 'utf8')).map(({ der }) => toPem('CERTIFICATE', der))
const { anchorsFile } = orders
const trust = anchorsFile === undefined ? pin : await openTrustAnchors({ file: anchorsFile, pin })
const est = createEstClient({ url: orders.estUrl, trust })
const store = openIdentityStore(orders.directory)
const soon = (): number => 100

function publish(connection: DeviceConnection): void {
  let number = 0
  setInterval(() => {
    const text = String((number += 1))
    connection.publish(`devices/${id}/telemetry/number`, text).then(
      () => say('acknowledged', text),
      () => undefined,
    )
  }, 100)
}

/** Resolves when a renewal is done, where one is enough. */
async function keepValid(identity: StoredIdentity, connection: DeviceConnection): Promise<void> {
  if (renew === 'once' && new Date() < renewalDue(identity)) return
  const renewals = createRenewals({ random: () => 0 })
  await new Promise<void>((resolve) => {
    renewals.keep({
      est,
      store,
      identity,
      probe: async (staged) => connection.replaceIdentity(staged),
      onRenewed: ({ certificate }) => {
        say('renewed', certificate.serial)
        if (renew === 'once') resolve()
      },
      onFailure: (error) => say('renewal failed', reason(error)),
      onExhausted: (error) => say('renewal failed', reason(error)),
    })
  })
  await renewals.close()
}

async function live(): Promise<void> {
  const credential = orders.approval ? ('approval' as const) : token === undefined ? undefined : { token }
  const { identity } = await enrollDevice({
    id,
    est,
    store,
    ...(credential && { credential }),
    whenDue: 'keep',
    retry: { backoff: soon },
  })
  say('enrolled', identity.certificate.serial)
  if (mqttUrl === undefined) return
  const connection = await connectMqtt({
    url: mqttUrl,
    trust,
    identity,
    backoff: soon,
    refreshTrust: async () => est.refreshTrust(),
  })
  const online = (): void => say('online', connection.info?.tlsResumed ? 'resumed' : 'full')
  online()
  connection.on('online', online)
  connection.on('offline', (error) => say('offline', reason(error)))
  if (renew !== 'once') publish(connection)
  if (renew === undefined) return
  await keepValid(identity, connection)
  await connection.close()
}

try {
  await live()
} catch (error) {
  say('failed', reason(error))
  process.exitCode = 1
} finally {
  est.close()
}
