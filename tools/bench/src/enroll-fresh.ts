import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import { createCsr, defaultProfiles, generateKeyPair, toPem } from '@fleetroot/pki'
import { startApp, temporaryFolder } from '@fleetroot/harness'
import { makeAuthority, makeIdentity } from './authority.ts'
import { drive, postJson } from './load/http.ts'
import { makeEnrollments } from './load/inventory.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { formatRow } from './measure/report.ts'
import { median } from './measure/statistics.ts'
import { cfsslVersion, startCfssl } from './peer/cfssl.ts'

// As devices do it: each enrolls once, over a connection of its own with a full handshake. Counted is the CPU of the server.

const rounds = 5
const perRound = 1000
const inFlight = 16

/** Microseconds of the server's CPU for each request, every one over its own connection. */
async function round(pid: number, to: ConnectionOptions, requests: readonly Buffer[]): Promise<number> {
  let next = 0
  const cpu = cpuMs(pid)
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let request = requests[next++]; request; request = requests[next++]) {
        const socket = connect(to)
        await once(socket, 'secureConnect')
        await drive([socket], [request])
        socket.destroy()
      }
    }),
  )
  return ((cpuMs(pid) - cpu) * 1000) / requests.length
}

using folder = temporaryFolder()
const data = join(folder.path, 'data')
const server = startApp('enrollment-server', [], {
  FLEETROOT_DATA: data,
  FLEETROOT_RATE_LIMIT: '100000000',
  FLEETROOT_LOG_LEVEL: 'warn',
})
const url = new URL(await server.ready())
const ours: ConnectionOptions = {
  host: url.hostname,
  port: Number(url.port),
  ca: readFileSync(join(data, 'public/root.crt')),
}
const authority = await makeAuthority(new Date())
const ca = { cert: authority.issuer.certificate.pem, key: authority.issuerKeyPem }
const peer = cfsslVersion()
  ? await startCfssl(
      folder.path,
      ca,
      await makeIdentity(authority, 'cfssl', defaultProfiles.service, { dns: ['localhost'] }),
    )
  : undefined

console.log(`enroll, a fresh TLS connection for each: ${machine()}`)
console.log(`${inFlight} at a time, median of ${rounds} rounds of ${perRound}`)
try {
  const figures = { ours: [] as number[], theirs: [] as number[] }
  for (let number = 0; number <= rounds; number++) {
    const spent = await round(server.pid, ours, makeEnrollments(data, url.host, `bench-${number}`, perRound))
    if (number > 0) figures.ours.push(spent)
    if (!peer) continue
    const theirs = { host: '127.0.0.1', port: peer.port, ca: authority.root.pem, servername: 'localhost' }
    const sign = Array.from({ length: perRound }, (_, n) => {
      const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: `bench-${n}` })
      return postJson('127.0.0.1', '/api/v1/cfssl/sign', {
        certificate_request: toPem('CERTIFICATE REQUEST', csr),
      })
    })
    const spentThere = await round(peer.pid, theirs, sign)
    if (number > 0) figures.theirs.push(spentThere)
  }
  console.log(
    formatRow({
      what: 'CPU of the server for handshake and enrollment',
      ours: median(figures.ours),
      unit: 'µs',
      ...(figures.theirs.length > 0 ? { peer: { name: 'cfssl', value: median(figures.theirs) } } : {}),
      budget: { of: 'value', atMost: 2500 },
    }),
  )
} finally {
  await peer?.stop()
  await server.stop()
}
