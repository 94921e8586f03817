import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { startApp, temporaryFolder } from '@fleetroot/harness'
import { drive } from './load/http.ts'
import { makeEnrollments } from './load/inventory.ts'
import { machine } from './measure/machine.ts'
import { cpuMs, residentKiB } from './measure/process.ts'
import { formatRow } from './measure/report.ts'
import { median } from './measure/statistics.ts'

// A hundred thousand enrollments, one server: what it keeps of them must be on the disk and not in memory. V8 lets a heap
// grow before it collects, so that the first steps say nothing; the last three are held against the two after those.

const steps = 10
const perStep = 10_000
const connections = 64

using folder = temporaryFolder()
const data = join(folder.path, 'data')
const server = startApp('enrollment-server', [], {
  FLEETROOT_DATA: data,
  FLEETROOT_RATE_LIMIT: '100000000',
  FLEETROOT_LOG_LEVEL: 'warn',
})
const url = new URL(await server.ready())
const ca = readFileSync(join(data, 'public/root.crt'))
const residentMiB = (): number => residentKiB(server.pid) / 1024

console.log(`enroll-memory: ${machine()}`)
console.log(`${steps} times ${perStep} enrollments over ${connections} connections each`)
try {
  console.log(formatRow({ what: 'resident, before the first', ours: residentMiB(), unit: 'MiB' }))
  const resident: number[] = []
  const cost: number[] = []
  for (let step = 1; step <= steps; step++) {
    const requests = makeEnrollments(data, url.host, `bench-${step}`, perStep)
    const streams = Array.from({ length: connections }, () =>
      connect({ host: url.hostname, port: Number(url.port), ca }),
    )
    await Promise.all(streams.map((stream) => once(stream, 'secureConnect')))
    const cpu = cpuMs(server.pid)
    await drive(streams, requests)
    cost.push(((cpuMs(server.pid) - cpu) * 1000) / perStep)
    for (const stream of streams) stream.destroy()
    resident.push(residentMiB())
    const what = `resident, after ${(step * perStep).toLocaleString('en')}`
    console.log(formatRow({ what, ours: residentMiB(), unit: 'MiB' }))
  }
  console.log(
    formatRow({
      what: 'resident at the end (median of the last three)',
      ours: median(resident.slice(-3)),
      unit: 'MiB',
      peer: { name: 'after 30,000 and 40,000', value: median(resident.slice(2, 4)) },
      budget: { of: 'ratio', atMost: 1.1 },
    }),
  )
  console.log(
    formatRow({
      what: 'CPU of the server for one, at the end',
      ours: median(cost.slice(-3)),
      unit: 'µs',
      peer: { name: 'in the first steps', value: median(cost.slice(0, 3)) },
    }),
  )
} finally {
  await server.stop()
}
