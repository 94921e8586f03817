import { workerData } from 'node:worker_threads'
import { keySigner, parseCertificate } from '@fleetroot/pki'
import type { IssuerName } from '../authority/authority.ts'
import { openDatabase } from '../registry/database.ts'
import { createLocalRegistry } from '../registry/local-registry.ts'
import { serveCalls } from '../registry/thread-calls.ts'
import { createEnrollment } from './enrollment.ts'
import type { EnrollmentThreadData } from './enrollment-thread.ts'
import type { CertificateRequest } from './request.ts'

// The thread that enrolls and writes: database, decisions and crypto on one thread, nothing waits for another.
serveCalls(() => {
  const { file, issuers, authorityKeys, profiles, trustDomain, publicUrl } =
    workerData as EnrollmentThreadData
  const issuerOf = (name: IssuerName) => ({
    certificate: parseCertificate(issuers[name].certificate),
    signer: keySigner(issuers[name].privateKey, { thread: 'calling' }),
  })
  const database = openDatabase(file)
  const registry = createLocalRegistry(database)
  const enroll = createEnrollment({
    registry,
    issuers: { devices: issuerOf('devices'), services: issuerOf('services') },
    authorityKeys,
    profiles,
    trustDomain,
    publicUrl,
    cryptoThread: 'calling',
  })
  return {
    operations: {
      ...registry,
      enroll: ({ request, now }: { request: CertificateRequest; now: Date }) => enroll(request, now),
    },
    close: () => database.close(),
  }
})
