import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import {
  createCsr,
  defaultProfiles,
  exportPublicKey,
  generateKeyPair,
  importPrivateKey,
  issueCertificate,
  keySigner,
  newSerial,
  parseCsr,
  parseDeviceId,
} from '@fleetroot/pki'
import { makeAuthority } from './authority.ts'
import { machine } from './measure/machine.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'

// CSR in, certificate out, in memory: how far our code is above what the crypto alone costs. As in the enrollment
// server, one thread does it all. Counted is CPU time of all threads: garbage is collected on others, and a
// neighbour's load must not count as ours.

const rounds = 9
const perRound = 1000
const inFlight = 64

const now = new Date()
const authority = await makeAuthority(now)
const issuer = {
  certificate: authority.issuer.certificate,
  signer: keySigner(importPrivateKey(authority.issuerKeyPem), { thread: 'calling' }),
}
const id = parseDeviceId('bench-device')

/** Median of the rounds, after two to warm up: microseconds of CPU, and of time, for one call. */
async function measure(work: () => unknown): Promise<{ cpu: number; wall: number }> {
  const cpus: number[] = []
  const walls: number[] = []
  for (let round = -2; round < rounds; round++) {
    const cpu = process.cpuUsage()
    const started = performance.now()
    for (let done = 0; done < perRound; done += inFlight) {
      await Promise.all(Array.from({ length: Math.min(inFlight, perRound - done) }, () => work()))
    }
    const wall = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    if (round < 0) continue
    cpus.push((user + system) / perRound)
    walls.push((wall * 1000) / perRound)
  }
  return { cpu: median(cpus), wall: median(walls) }
}

const { publicKey, privateKey } = generateKeyPair('P-256')
const csr = createCsr({ privateKey, commonName: id })
const spki = exportPublicKey(publicKey)
const signature = sign('sha256', csr, privateKey)

// A key that was just imported verifies more slowly than one that has been used before.
const importKey = (): KeyObject => createPublicKey({ key: spki, format: 'der', type: 'spki' })
const floor =
  (await measure(() => verify('sha256', csr, importKey(), signature))).cpu +
  (await measure(() => sign('sha256', csr, privateKey))).cpu

const issue = async (request: Buffer): Promise<void> => {
  const parsed = await parseCsr(request, { thread: 'calling' })
  await issueCertificate({
    profile: defaultProfiles.device,
    issuer,
    subject: { id, trustDomain: 'bench.example' },
    publicKey: parsed.publicKey,
    serial: newSerial(),
    now,
  })
}

console.log(`issuance: ${machine()}`)
console.log(
  `median of ${rounds} rounds of ${perRound}, ${inFlight} in flight; the peer is node:crypto alone (key import, verify, sign)`,
)
const p256 = await measure(() => issue(csr))
report({
  what: 'CSR in, certificate out, P-256, CPU of all threads',
  ours: p256.cpu,
  unit: 'µs',
  peer: { name: 'crypto alone', value: floor },
  budget: { of: 'value', atMost: 200 },
})
report({ what: 'the same, time', ours: p256.wall, unit: 'µs' })
for (const algorithm of ['P-384', 'Ed25519', 'RSA-2048'] as const) {
  const request = createCsr({ privateKey: generateKeyPair(algorithm).privateKey, commonName: id })
  const { cpu } = await measure(() => issue(request))
  report({ what: `${algorithm} key, P-256 CA, CPU of all threads`, ours: cpu, unit: 'µs' })
}
