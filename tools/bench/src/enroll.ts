import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { createCsr, defaultProfiles, generateKeyPair, toPem } from '@fleetroot/pki'
import { freePort, operator, startApp, temporaryFolder } from '@fleetroot/harness'
import { makeAuthority, makeIdentity } from './authority.ts'
import { drive, postJson } from './load/http.ts'
import { machine } from './measure/machine.ts'
import { cpuMs } from './measure/process.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'
import { cfsslVersion, startCfssl } from './peer/cfssl.ts'
import { startOnPort } from './peer/process.ts'

// Issuance over keep-alive HTTP: ours commits every certificate to disk and consumes a token for each;
// the peer, cfssl serve, has no database. A third is bare Node with TLS, crypto and an fsync and nothing else: what of the
// distance is Node's, and what is ours. Rounds alternate, so that a noisy neighbour disturbs both.

const rounds = 5
const perRound = 2000
const connections = 64

interface Figures {
  perSecond: number[]
  cpuMicroseconds: number[]
}

async function round(
  pid: number,
  open: () => Duplex,
  requests: readonly Buffer[],
  figures?: Figures,
): Promise<void> {
  const streams = Array.from({ length: connections }, open)
  await Promise.all(
    streams.map((stream) => once(stream, 'encrypted' in stream ? 'secureConnect' : 'connect')),
  )
  const cpu = cpuMs(pid)
  const started = performance.now()
  await drive(streams, requests)
  const seconds = (performance.now() - started) / 1000
  figures?.perSecond.push(requests.length / seconds)
  figures?.cpuMicroseconds.push(((cpuMs(pid) - cpu) * 1000) / requests.length)
  for (const stream of streams) stream.destroy()
}

using folder = temporaryFolder()
const data = join(folder.path, 'data')
const server = startApp('enrollment-server', [], {
  FLEETROOT_DATA: data,
  FLEETROOT_RATE_LIMIT: '100000000',
  FLEETROOT_LOG_LEVEL: 'warn',
})
const url = new URL(await server.ready())
const admin = operator(data, url.href)
const root = readFileSync(join(data, 'public/root.crt'))
const cfsslInstalled = cfsslVersion()
const authority = await makeAuthority(new Date())
const ca = { cert: authority.issuer.certificate.pem, key: authority.issuerKeyPem }
const peerTls = await makeIdentity(authority, 'cfssl', defaultProfiles.service, { dns: ['localhost'] })
const peer = cfsslInstalled ? await startCfssl(folder.path, ca) : undefined
const peerOverTls = cfsslInstalled ? await startCfssl(folder.path, ca, peerTls) : undefined
const barePort = await freePort()
const bareArguments = { port: barePort, folder: folder.path, ...peerTls, caKey: authority.issuerKeyPem }
const bareScript = join(import.meta.dirname, 'peer/bare-node.ts')
const bare = await startOnPort(process.execPath, [bareScript, JSON.stringify(bareArguments)], barePort)

console.log(`enroll: ${machine()}`)
console.log(
  `${connections} keep-alive connections, median of ${rounds} rounds of ${perRound}; cfssl ${cfsslInstalled ?? 'not installed'}`,
)
try {
  const ours: Figures = { perSecond: [], cpuMicroseconds: [] }
  const theirs: Figures = { perSecond: [], cpuMicroseconds: [] }
  const theirsOverTls: Figures = { perSecond: [], cpuMicroseconds: [] }
  const bareNodes: Figures = { perSecond: [], cpuMicroseconds: [] }
  for (let number = 0; number <= rounds; number++) {
    const record = (figures: Figures): Figures | undefined => (number === 0 ? undefined : figures)
    const csrs = Array.from({ length: perRound }, (_, i) => {
      const id = `bench-${number}-${i}`
      const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: id })
      return { id, pem: toPem('CERTIFICATE REQUEST', csr) }
    })
    const requests: Buffer[] = []
    for (let i = 0; i < csrs.length; i += 50) {
      const made = csrs.slice(i, i + 50).map(async ({ id, pem }) => {
        const authorization = `Bearer ${await admin.token(id)}`
        return postJson(url.host, '/v1/enrollments', { csr: pem }, { authorization })
      })
      requests.push(...(await Promise.all(made)))
    }
    const open = (): Duplex => connectTls({ host: url.hostname, port: Number(url.port), ca: root })
    await round(server.pid, open, requests, record(ours))

    const sign = csrs.map(({ pem }) =>
      postJson('127.0.0.1', '/api/v1/cfssl/sign', { certificate_request: pem }),
    )
    if (peer) await round(peer.pid, () => connectTcp(peer.port, '127.0.0.1'), sign, record(theirs))
    const overTls = (port: number) => (): Duplex =>
      connectTls({ host: '127.0.0.1', port, ca: authority.root.pem, servername: 'localhost' })
    if (peerOverTls) await round(peerOverTls.pid, overTls(peerOverTls.port), sign, record(theirsOverTls))
    const barely = csrs.map(({ pem }) => postJson('127.0.0.1', '/', { csr: pem }))
    await round(bare.pid, overTls(barePort), barely, record(bareNodes))
  }
  const row = (what: string, unit: string, key: keyof Figures, name: string, figures: Figures): void =>
    report({
      what,
      unit,
      ours: median(ours[key]),
      ...(figures[key].length > 0 ? { peer: { name, value: median(figures[key]) } } : {}),
      ...(key === 'perSecond' && name === 'cfssl' ? { budget: { of: 'ratio', atLeast: 1 } } : {}),
    })
  row('enrollments (TLS; peer: plain HTTP)', '/s', 'perSecond', 'cfssl', theirs)
  row('enrollments (TLS; peer: TLS)', '/s', 'perSecond', 'cfssl', theirsOverTls)
  row('enrollments (TLS; peer: TLS, crypto, commit, no more)', '/s', 'perSecond', 'bare Node', bareNodes)
  row('CPU of the server for one (peer: plain HTTP)', 'µs', 'cpuMicroseconds', 'cfssl', theirs)
  row('CPU of the server for one (peer: TLS)', 'µs', 'cpuMicroseconds', 'cfssl', theirsOverTls)
  row('CPU of the server for one (peer: no more than that)', 'µs', 'cpuMicroseconds', 'bare Node', bareNodes)
} finally {
  admin.close()
  await peer?.stop()
  await peerOverTls?.stop()
  await bare.stop()
  await server.stop()
}
