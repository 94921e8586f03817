import { startCrowd, type Return } from '@fleetroot/harness'
import { type Contender, startOurs, startTheirs } from './contenders.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { percentile } from './measure/statistics.ts'
import { mosquittoVersion } from './peer/mosquitto.ts'

// Five thousand devices whose connections are cut at one moment, all of which connect again at once and, where that fails, wait
// with full jitter as `device-client` does; real TLS clients in two processes, every handshake a full one, our broker with its defaults.
// Before that they connect calmly, a few at a time, which is the capacity of this machine with both ends on it: as long as
// that capacity explains somebody may be refused, and nobody later.

const devices = 5000
const processes = 2
const atOnce = 16
const ids = Array.from({ length: devices }, (_, i) => `bench-${i}`)

interface Storm {
  /** Seconds. */
  readonly gathered: number
  readonly returns: readonly Return[]
  readonly cpuMs: number
}

/** `sites`: how many addresses the devices share. */
async function storm(contender: Contender, sites: number): Promise<Storm> {
  const { host, port, ca } = contender.client(ids[0]!)
  const members = ids.map((id, i) => {
    const { key, cert } = contender.client(id)
    const site = i % sites
    return { id, key, cert, localAddress: `127.1.${site >> 8}.${(site & 255) + 1}` }
  })
  const crowd = startCrowd({ host, port, ca, members }, processes)
  try {
    const started = performance.now()
    await crowd.gather(atOnce)
    const gathered = (performance.now() - started) / 1000
    const cpu = cpuMs(contender.pid)
    const returns = await crowd.storm()
    return { gathered, returns, cpuMs: cpuMs(contender.pid) - cpu }
  } finally {
    await crowd.leave()
  }
}

/** `calm`: what the last refusal is set beside, where it is no budget. */
function tell(what: string, { gathered, returns, cpuMs }: Storm, calm = gathered): void {
  const back = returns.map(({ backMs }) => backMs / 1000)
  const refusals = returns.flatMap((each) => each.refusals)
  const reasons = new Map<string, number>()
  for (const { reason } of refusals) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const lastRefusal = Math.max(0, ...refusals.map(({ atMs }) => atMs)) / 1000
  const shown = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')
  console.log(`\n${what}: ${Math.round(devices / gathered)} connections a second when calm`)
  report({ what: 'until all are back', ours: Math.max(...back), unit: 's' })
  report({ what: 'until half are back', ours: percentile(back, 50), unit: 's' })
  report({ what: 'until 99 % are back', ours: percentile(back, 99), unit: 's' })
  report({ what: 'attempts for one device', ours: 1 + refusals.length / devices, unit: '' })
  report({ what: 'CPU of the broker for one device', ours: cpuMs / devices, unit: 'ms' })
  report({
    what: 'last refusal, beside the time that they need when calm',
    ours: lastRefusal,
    unit: 's',
    peer: { name: 'calm', value: calm },
    ...(calm === gathered ? { budget: { of: 'ratio', atMost: 1.25 } } : {}),
  })
  console.log(`refusals as the devices saw them: ${shown || 'none'}`)
}

console.log(`storm: ${machine()}`)
console.log(
  `${devices} devices in ${processes} processes; ${mosquittoVersion() ?? 'mosquitto not installed'}`,
)
const many = 250

async function measure(
  start: () => Promise<Contender>,
  what: string,
  sites: number,
  calm?: number,
): Promise<number> {
  const contender = await start()
  try {
    const measured = await storm(contender, sites)
    tell(`${contender.name}, ${what}`, measured, calm)
    const refused = [...(await contender.refused())].map(([reason, count]) => `${count} ${reason}`)
    if (refused.length > 0) console.log(`refusals by the broker's metric: ${refused.join(', ')}`)
    return measured.gathered
  } finally {
    await contender.stop()
  }
}

const withDefaults = (): Promise<Contender> => startOurs(ids, [], [])
const calm = await measure(withDefaults, `devices at ${many} addresses`, many)
await measure(withDefaults, 'all devices at one address', 1, calm)
if (mosquittoVersion()) await measure(() => startTheirs(ids, []), `devices at ${many} addresses`, many, calm)
