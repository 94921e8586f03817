import { createPublicKey, sign, verify } from 'node:crypto'
import {
  createCsr,
  defaultProfiles,
  exportPublicKey,
  generateKeyPair,
  issueCertificate,
  newSerial,
  parseCsr,
  parseDeviceId,
} from '@fleetroot/pki'
import { makeAuthority } from './authority.ts'
import { machine } from './measure/machine.ts'
import { formatRow } from './measure/report.ts'
import { median } from './measure/statistics.ts'

// CSR in, certificate out, in memory, one at a time: how far our code is above what the crypto alone costs.

const rounds = 9
const perRound = 400

const now = new Date()
const authority = await makeAuthority(now)
const id = parseDeviceId('bench-device')

async function microseconds(work: () => unknown): Promise<number> {
  const samples: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now()
    for (let i = 0; i < perRound; i++) await work()
    if (round > 0) samples.push(((performance.now() - started) * 1000) / perRound)
  }
  return median(samples)
}

const { publicKey, privateKey } = generateKeyPair('P-256')
const csr = createCsr({ privateKey, commonName: id })
const spki = exportPublicKey(publicKey)
const signature = sign('sha256', csr, privateKey)

const floor =
  (await microseconds(() => verify('sha256', csr, publicKey, signature))) +
  (await microseconds(() => sign('sha256', csr, privateKey))) +
  (await microseconds(() => createPublicKey({ key: spki, format: 'der', type: 'spki' })))

const issue = async (request: Buffer): Promise<void> => {
  const parsed = await parseCsr(request)
  await issueCertificate({
    profile: defaultProfiles.device,
    issuer: authority.issuer,
    subject: { id, trustDomain: 'bench.example' },
    publicKey: parsed.publicKey,
    serial: newSerial(),
    now,
  })
}

console.log(`issuance: ${machine()}`)
console.log(
  `median of ${rounds} rounds of ${perRound}; the peer is node:crypto alone (verify + sign + key import)`,
)
console.log(
  formatRow({
    what: 'CSR in, certificate out, P-256',
    ours: await microseconds(() => issue(csr)),
    unit: 'µs',
    peer: { name: 'crypto alone', value: floor },
    budget: { of: 'value', atMost: 200 },
  }),
)
for (const algorithm of ['P-384', 'Ed25519', 'RSA-2048'] as const) {
  const request = createCsr({ privateKey: generateKeyPair(algorithm).privateKey, commonName: id })
  console.log(
    formatRow({
      what: `CSR in, certificate out, ${algorithm} (P-256 CA)`,
      ours: await microseconds(() => issue(request)),
      unit: 'µs',
    }),
  )
}
