import type { RegistryOperations } from './registry.ts'

/** What a record must still be for a change of it to happen. */
export interface Expectation {
  readonly kind: 'device' | 'claim' | 'certificate' | 'approval'
  /** Of a certificate its serial, of an approval the public key. */
  readonly id: string
  /** The record, by {@link stampOf}. */
  readonly stamp: string
}

/** All that can change in a record, as text that two threads make alike. */
export function stampOf(record: object): string {
  return JSON.stringify(record, (name, value: unknown) => (name === 'der' ? undefined : value))
}

/** Puts the comparison before each change that takes an {@link Expectation}, in its transaction. */
export function expecting<
  Operations extends Pick<
    RegistryOperations,
    | 'changeDevice'
    | 'revokeCertificate'
    | 'decideApproval'
    | 'findDevice'
    | 'findClaim'
    | 'findCertificate'
    | 'findApproval'
  >,
>(operations: Operations): Operations {
  const { changeDevice, revokeCertificate, decideApproval } = operations
  function find({ kind, id }: Expectation, nowMs: number): object | undefined {
    switch (kind) {
      case 'device':
        return operations.findDevice(id as Parameters<Operations['findDevice']>[0])
      case 'claim':
        return operations.findClaim(id as Parameters<Operations['findClaim']>[0])
      case 'certificate':
        return operations.findCertificate(id)
      case 'approval':
        return operations.findApproval({ publicKey: id, nowMs })
      default:
        return kind satisfies never
    }
  }
  function hasChanged(expected: Expectation | undefined, nowMs: number): boolean {
    if (expected === undefined) return false
    const record = find(expected, nowMs)
    return record === undefined || stampOf(record) !== expected.stamp
  }
  return {
    ...operations,
    changeDevice: (request) =>
      hasChanged(request.expected, request.atMs)
        ? { ok: false, code: 'precondition-failed' }
        : changeDevice(request),
    revokeCertificate: (request) =>
      hasChanged(request.expected, request.atMs) ? 'precondition-failed' : revokeCertificate(request),
    decideApproval: (decision) =>
      hasChanged(decision.expected, decision.nowMs) ? 'precondition-failed' : decideApproval(decision),
  }
}
