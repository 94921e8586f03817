import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Profile } from '@fleetroot/pki'
import type { Authority } from '../authority/authority.ts'
import type { RegistryError } from '../registry/registry-error.ts'
import type { Registry } from '../registry/registry.ts'
import { openSqliteRegistry } from '../registry/sqlite-registry.ts'
import { openThread, type Thread } from '../registry/thread.ts'
import type { Manufacturer } from '../admission/idevid.ts'
import type { ApprovalTimes } from './enrollment.ts'
import type { CertificateRequest, EnrollmentStep } from './request.ts'
import { sendAuthority, type SentAuthority } from './signing-authority.ts'

/** What the enrollment thread starts with. */
export interface EnrollmentThreadData {
  readonly file: string
  readonly authority: SentAuthority
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  readonly publicUrl: string
  readonly mustAsk: boolean
  /** Anchors as DER: what has been parsed does not cross between threads. */
  readonly manufacturers: readonly SentManufacturer[]
  readonly approvals: ApprovalTimes
  /** To the thread that writes the registry. */
  readonly writer: MessagePort
}

type SentManufacturer = Omit<Manufacturer, 'anchors'> & { readonly anchors: readonly Uint8Array[] }

/**
 * Opens the registry, and beside it the thread that enrolls: authenticate, verify and sign happen there, and while the
 * registry's thread records and waits for the disk, the next ones are signed (docs/decisions/0016). A request costs its
 * caller one message, shared with others when many ask.
 * @param onFailure called once if a thread dies by itself; nothing can be asked then
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openEnrollment(
  options: {
    readonly file: string
    readonly authority: Authority
    readonly profiles: ReadonlyMap<string, Profile>
    readonly trustDomain: string
    readonly publicUrl: string
    /** Whether an authorization service has to allow what would be issued. */
    readonly mustAsk: boolean
    readonly manufacturers: readonly Manufacturer[]
    readonly approvals: ApprovalTimes
  },
  onFailure: (error: RegistryError) => void,
): Promise<{
  readonly registry: Registry
  readonly enroll: (request: CertificateRequest, now: Date) => Promise<EnrollmentStep>
  /** Signs with other CAs from now on. */
  readonly useAuthority: (authority: Authority) => Promise<void>
}> {
  const { file, authority, profiles, trustDomain, publicUrl, mustAsk, approvals } = options
  const { port1: atWriter, port2: writer } = new MessageChannel()
  const registry = await openSqliteRegistry(file, onFailure, [atWriter])
  const data: EnrollmentThreadData = {
    file,
    authority: sendAuthority(authority),
    profiles,
    trustDomain,
    publicUrl,
    mustAsk,
    approvals,
    manufacturers: options.manufacturers.map(({ anchors, ...manufacturer }) => ({
      ...manufacturer,
      anchors: anchors.map(({ der }) => new Uint8Array(der)),
    })),
    writer,
  }
  let thread: Thread
  try {
    thread = await openThread(new URL('./worker.ts', import.meta.url), data, onFailure, [writer])
  } catch (error) {
    await registry.close()
    throw error
  }
  return {
    registry: {
      ...registry,
      // First who enrolls, as it waits for what it asked the registry.
      close: async () => {
        await thread.close()
        await registry.close()
      },
    },
    useAuthority: async (next) => void (await thread.ask('useAuthority', sendAuthority(next))),
    enroll: async ({ credential, csr, ...request }, now) => {
      // Copies: a view of a pooled Buffer would take the whole pool along.
      const copied = {
        ...request,
        csr: new Uint8Array(csr),
        credential:
          credential.kind === 'certificate'
            ? { ...credential, der: new Uint8Array(credential.der) }
            : credential,
      }
      return (await thread.ask('enroll', { request: copied, now })) as EnrollmentStep
    },
  }
}
