import { FleetctlError } from '../error.ts'
import type { ServerFiles } from './files.ts'
import { loadOperator, type OperatorIdentity } from './identity.ts'
import { openServer, type Server } from './server.ts'

export { openServer } from './server.ts'

/**
 * Opens the server as operator. An operator certificate that is due is renewed first, while it is valid; when that
 * does not work, the command goes on with the old one and says so.
 */
export async function openAsOperator(
  files: ServerFiles,
  { signal, now, warn }: { signal: AbortSignal; now: Date; warn: (line: string) => void },
): Promise<Server> {
  const identity = loadOperator(files, now)
  return openServer(files, { identity: await renewedInTime(identity, files, now, warn), signal })
}

async function renewedInTime(
  identity: OperatorIdentity,
  files: ServerFiles,
  now: Date,
  warn: (line: string) => void,
): Promise<OperatorIdentity> {
  // Long before it can be due, without the code that would find out.
  const { notBefore, notAfter } = identity.certificate
  if (notAfter.getTime() - now.getTime() > (notAfter.getTime() - notBefore.getTime()) / 2) return identity
  const { isRenewalDue, renewOperator } = await import('./renewal.ts')
  try {
    if (!(await isRenewalDue(identity, files, now))) return identity
    return await renewOperator(identity, files, now)
  } catch (error) {
    if (error instanceof FleetctlError) throw error
    const why = error instanceof Error ? error.message : String(error)
    const until = identity.certificate.notAfter.toISOString()
    warn(`warning: the operator certificate ${files.cert} could not be renewed (${why}); it ends at ${until}`)
    return identity
  }
}
