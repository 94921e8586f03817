import { loadIdentity, TlsConfigError, type TlsIdentity } from '@fleetroot/tls-config'
import { FleetctlError } from '../error.ts'
import { renewalHint } from './failure.ts'
import type { ServerFiles } from './files.ts'

/** Key and certificate of the operator. */
export type OperatorIdentity = TlsIdentity

/** Loads the operator's identity. Throws `operator-identity-unusable` with the file and the fix. */
export function loadOperator({ cert, key }: ServerFiles, now: Date): OperatorIdentity {
  try {
    return loadIdentity({ certFile: cert, keyFile: key }, now)
  } catch (error) {
    if (!(error instanceof TlsConfigError)) throw error
    throw new FleetctlError('operator-identity-unusable', sentenceOf(error, cert), { cause: error })
  }
}

function sentenceOf(error: TlsConfigError, cert: string): string {
  if (error.code === 'file-missing') {
    return `no operator certificate: ${error.message}; name the server's data directory with --data or FLEETROOT_DATA, or give both files with --cert and --key`
  }
  if (error.code === 'certificate-expired')
    return `the operator certificate ${cert} has expired. ${renewalHint}`
  if (error.code === 'certificate-not-yet-valid') {
    return `the operator certificate ${cert} is not valid yet: set the clock of this machine`
  }
  return `the operator certificate cannot be used: ${error.message}`
}
