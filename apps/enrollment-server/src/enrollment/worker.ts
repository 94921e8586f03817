import { workerData } from 'node:worker_threads'
import { parseCertificate } from '@fleetroot/pki'
import { openDatabase } from '../registry/database.ts'
import { createLocalRegistry } from '../registry/local-registry.ts'
import { serveCalls } from '../registry/thread-calls.ts'
import { createEnrollment } from './enrollment.ts'
import type { EnrollmentThreadData } from './enrollment-thread.ts'
import type { CertificateRequest } from './request.ts'
import { receiveAuthority, type SentAuthority } from './signing-authority.ts'

// The thread that enrolls and writes: database, decisions and crypto on one thread, nothing waits for another.
serveCalls(() => {
  const { file, profiles, trustDomain, publicUrl, mustAsk, approvals, ...sent } =
    workerData as EnrollmentThreadData
  const manufacturers = sent.manufacturers.map(({ anchors, ...manufacturer }) => ({
    ...manufacturer,
    anchors: anchors.map((der) => parseCertificate(der)),
  }))
  let authority = receiveAuthority(sent.authority)
  const database = openDatabase(file)
  const registry = createLocalRegistry(database)
  const enroll = createEnrollment({
    registry,
    authority: () => authority,
    profiles,
    trustDomain,
    publicUrl,
    mustAsk,
    manufacturers,
    approvals,
    cryptoThread: 'calling',
  })
  return {
    operations: {
      ...registry,
      enroll: ({ request, now }: { request: CertificateRequest; now: Date }) => enroll(request, now),
      useAuthority: async (next: SentAuthority) => {
        authority = receiveAuthority(next)
      },
    },
    close: () => database.close(),
  }
})
