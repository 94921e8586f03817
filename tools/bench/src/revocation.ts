import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { enrollAll, type Operator, operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { each } from './load/each.ts'
import { connectMqtt, type MqttLoad } from './load/mqtt.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { percentile } from './measure/statistics.ts'
import { openDoors } from './load/open-doors.ts'

// From the operator's call to the closed socket of the device, with thousands of sessions live and both servers
// as processes of their own: first one revocation after the other, then a storm of all that are left.

const sessions = 2000
const oneByOne = 200
const operatorsAtOnce = 16

interface Device {
  readonly id: string
  readonly load: MqttLoad
}

/** Revokes a device and resolves when its connection is closed, to the milliseconds since the call. */
async function revoke(admin: Operator, { id, load }: Device): Promise<number> {
  const closed = once(load.socket, 'close')
  const started = performance.now()
  const { status } = await admin.call('POST', `/v1/devices/${id}/revoke`, { reason: 'keyCompromise' })
  if (status !== 200) throw new Error(`${id}: status ${status}`)
  await closed
  return performance.now() - started
}

function reportAll(what: string, samples: readonly number[]): void {
  const row = (name: string, ours: number): void =>
    report({
      what: `${what}: ${name}`,
      ours,
      unit: 'ms',
      ...(name === 'p99' ? { budget: { of: 'value', atMost: 1000 } } : {}),
    })
  for (const p of [50, 99]) row(`p${p}`, percentile(samples, p))
  row('max', Math.max(...samples))
}

console.log(`revocation: ${machine()}`)
console.log(`${sessions} live sessions; from the REST call to the closed socket`)
using folder = temporaryFolder()
const data = join(folder.path, 'data')
const server = startApp('enrollment-server', [], {
  FLEETROOT_DATA: data,
  FLEETROOT_RATE_LIMIT: '100000000',
  FLEETROOT_LOG_LEVEL: 'error',
})
const url = new URL(await server.ready())
const broker = startApp('broker', openDoors, {
  FLEETROOT_DATA: data,
  FLEETROOT_ENROLLMENT_PORT: url.port,
  FLEETROOT_LOG_LEVEL: 'error',
})
const admin = operator(data, url.href)
try {
  const { port } = new URL(await broker.ready())
  const ca = readFileSync(join(data, 'public/root.crt'), 'utf8')
  const devices: Device[] = []
  const ids = Array.from({ length: sessions }, (_, i) => `bench-${i}`)
  await each([...(await enrollAll(admin, ids))], operatorsAtOnce, async ([id, identity]) => {
    const load = await connectMqtt({ host: 'localhost', port: Number(port), ca, ...identity }, id)
    // A connection that is cut ends with an error on this side.
    load.socket.on('error', () => undefined)
    devices.push({ id, load })
  })
  const single: number[] = []
  await each(devices.slice(0, oneByOne), 1, async (device) => void single.push(await revoke(admin, device)))
  reportAll(`${oneByOne} revoked one by one`, single)

  const storm: number[] = []
  const rest = devices.slice(oneByOne)
  const cpu = cpuMs(broker.pid)
  const started = performance.now()
  await each(rest, operatorsAtOnce, async (device) => void storm.push(await revoke(admin, device)))
  const seconds = (performance.now() - started) / 1000
  reportAll(`${rest.length} revoked by ${operatorsAtOnce} callers at once`, storm)
  report({ what: 'revocations a second', ours: rest.length / seconds, unit: '/s' })
  report({
    what: 'CPU of the broker for one',
    ours: (cpuMs(broker.pid) - cpu) / rest.length,
    unit: 'ms',
  })
} finally {
  admin.close()
  await broker.stop()
  await server.stop()
}
