import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCsr, generateKeyPair, newSerial, toPem } from '@fleetroot/pki'
import { operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { machine } from './measure/machine.ts'
import { cpuMs, residentKiB } from './measure/process.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'

// One more revocation where 100,000 are on the CRL already: CPU of the whole server for the revocation, its event,
// its audit record and the new CRL, and how long until the list with it can be fetched. Then a thousand at once.

const revoked = 100_000
const rounds = 40
/** As many as one request may name. */
const batch = 1000
// Further apart than lists are, so that every revocation pays for a list of its own.
const apartMs = 250

using folder = temporaryFolder()
const data = join(folder.path, 'data')
const env = { FLEETROOT_DATA: data, FLEETROOT_RATE_LIMIT: '100000000', FLEETROOT_LOG_LEVEL: 'warn' }

const first = startApp('enrollment-server', [], env)
await first.ready()
await first.stop()
const good = fill(join(data, 'registry.db'))

const starting = performance.now()
const server = startApp('enrollment-server', [], env)
const url = await server.ready()
const startedMs = performance.now() - starting
const admin = operator(data, url)
const agent = new Agent({ keepAlive: true, ca: readFileSync(join(data, 'public/root.crt')) })
console.log(`revoke: ${machine()}`)
console.log(`${revoked.toLocaleString('en')} certificates revoked; ${rounds} more, one every ${apartMs} ms`)
try {
  const serials: string[] = []
  for (let n = 0; n < rounds; n++) serials.push(await enroll(`bench-${n}`))
  await sleep(1000)
  const idleBefore = cpuMs(server.pid)
  await sleep(rounds * apartMs)
  const idle = cpuMs(server.pid) - idleBefore

  const answered: number[] = []
  const before = cpuMs(server.pid)
  for (const serial of serials) {
    const started = performance.now()
    await admin.call('POST', `/v1/certificates/${serial}/revoke`, { reason: 'keyCompromise' })
    answered.push(performance.now() - started)
    await sleep(Math.max(0, apartMs - (performance.now() - started)))
  }
  const busy = cpuMs(server.pid) - before

  const listed: number[] = []
  for (let n = 0; n < 5; n++) {
    const serial = await enroll(`late-${n}`)
    await sleep(apartMs)
    const old = await etag()
    const started = performance.now()
    await admin.call('POST', `/v1/certificates/${serial}/revoke`)
    while ((await etag()) === old) await sleep(1)
    listed.push(performance.now() - started)
  }
  await sleep(1000)
  const beforeBatch = cpuMs(server.pid)
  const oldList = await etag()
  const startedBatch = performance.now()
  const { body } = await admin.call('POST', '/v1/certificates/revocations', { serials: good })
  const batchMs = performance.now() - startedBatch
  while ((await etag()) === oldList) await sleep(1)
  const batchListedMs = performance.now() - startedBatch
  await sleep(500)
  const batchCpu = cpuMs(server.pid) - beforeBatch
  if ((body as { revoked?: number }).revoked !== batch) throw new Error(JSON.stringify(body).slice(0, 500))

  report({
    what: 'CPU of the server for one revocation and its CRL',
    ours: Math.max(0, busy - idle) / rounds,
    unit: 'ms',
    budget: { of: 'value', atMost: 20 },
  })
  report({ what: 'the same, idle CPU not taken off', ours: busy / rounds, unit: 'ms' })
  report({ what: 'revocation answered, median', ours: median(answered), unit: 'ms' })
  report({ what: 'on the served CRL, median', ours: median(listed), unit: 'ms' })
  report({ what: `${batch} at once, answered`, ours: batchMs, unit: 'ms' })
  report({ what: `${batch} at once, on the served CRL`, ours: batchListedMs, unit: 'ms' })
  report({ what: `${batch} at once, CPU with the CRL`, ours: batchCpu, unit: 'ms' })
  report({ what: 'start with that many', ours: startedMs, unit: 'ms' })
  report({ what: 'memory of the server', ours: residentKiB(server.pid) / 1024, unit: 'MiB' })
} finally {
  admin.close()
  agent.destroy()
  await server.stop()
}

/** Puts certificates that are revoked into the registry, and some that are good, whose serials it returns. */
function fill(file: string): string[] {
  const database = new DatabaseSync(file)
  const now = Date.now()
  const later = now + 30 * 86_400_000
  database.exec('BEGIN')
  const device = database.prepare(
    `INSERT INTO devices (id, profile, state, dns, ip, labels, created_at)
       VALUES (?, 'device', 'enrolled', '[]', '[]', '{}', ?)`,
  )
  device.run('revoked', now)
  const certificate = database.prepare(
    `INSERT INTO certificates
       (serial, device_id, profile, issuer, public_key, not_before, not_after, status, issued_at, der)
     VALUES (?, ?, 'device', 'devices', ?, ?, ?, 'issued', ?, x'00')`,
  )
  const revocation = database.prepare(
    `INSERT INTO revocations (serial, issuer, reason, revoked_at, not_after, event)
     VALUES (?, 'devices', 'keyCompromise', ?, ?, 1)`,
  )
  for (let n = 0; n < revoked; n++) {
    const serial = newSerial()
    certificate.run(serial, 'revoked', serial, now, later, now)
    revocation.run(serial, now, later)
  }
  const good = Array.from({ length: batch }, (_, n) => {
    const serial = newSerial()
    device.run(`good-${n}`, now)
    certificate.run(serial, `good-${n}`, serial, now, later, now)
    return serial
  })
  database.exec('COMMIT')
  database.close()
  return good
}

/** Enrolls a device and resolves to the serial of its certificate. */
async function enroll(id: string): Promise<string> {
  const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: id })
  const authorization = `Bearer ${await admin.token(id)}`
  const pem = toPem('CERTIFICATE REQUEST', csr)
  const { body } = await admin.call('POST', '/v1/enrollments', { csr: pem }, { authorization })
  return (body as { serial: string }).serial
}

/** The ETag of the devices' list, over a connection that is kept. */
function etag(): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL('/crl/devices.crl', url), { agent, method: 'HEAD' }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.headers.etag))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
