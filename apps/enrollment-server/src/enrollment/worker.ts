import { workerData } from 'node:worker_threads'
import { parseCertificate } from '@fleetroot/pki'
import { askOver } from '../registry/calls.ts'
import { openDatabase } from '../registry/database.ts'
import { createReadingRegistry } from '../registry/reading-registry.ts'
import { serveCalls } from '../registry/thread-calls.ts'
import { createEnrollment } from './enrollment.ts'
import type { EnrollmentThreadData } from './enrollment-thread.ts'
import type { CertificateRequest } from './request.ts'
import { receiveAuthority, type SentAuthority } from './signing-authority.ts'

// The thread that enrolls: lookups, decisions and crypto on one thread. What it decides another one writes, which so waits
// for the disk while this one signs.
serveCalls(() => {
  const { file, profiles, trustDomain, publicUrl, mustAsk, approvals, writer, ...sent } =
    workerData as EnrollmentThreadData
  const manufacturers = sent.manufacturers.map(({ anchors, ...manufacturer }) => ({
    ...manufacturer,
    anchors: anchors.map((der) => parseCertificate(der)),
  }))
  let authority = receiveAuthority(sent.authority)
  const database = openDatabase(file)
  const registry = createReadingRegistry(database, askOver(writer))
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
      enroll: ({ request, now }: { request: CertificateRequest; now: Date }) => enroll(request, now),
      useAuthority: async (next: SentAuthority) => {
        authority = receiveAuthority(next)
      },
    },
    close: () => {
      database.close()
      writer.close()
    },
  }
})
