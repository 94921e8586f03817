import { DeviceClientError } from '@fleetroot/device-client'
import { BrokerError } from '../error.ts'

/** The id that the enrollment server keeps a bootstrap token for. */
const bootstrapId = 'broker'

/**
 * What a failed enrollment means to whoever starts the broker: where the next token comes from, if it was for
 * want of one. Every other failure is given back as it is.
 */
export function explainToken(error: unknown, { id, tokenFile }: { id: string; tokenFile: string }): unknown {
  if (!(error instanceof DeviceClientError)) return error
  if (error.code !== 'credential-refused' && error.code !== 'credentials-exhausted') return error
  const trouble =
    error.code === 'credential-refused'
      ? `the one-time token in ${tokenFile} was refused: ${error.message}`
      : `there is no one-time token in ${tokenFile} and no valid certificate`
  const fix =
    id === bootstrapId
      ? `restart the enrollment server, which makes a new one in bootstrap/${id}.token of its data directory when the certificate of ${id} has expired or that file was deleted`
      : `have the operator make a new one for ${id}`
  return new BrokerError('token-refused', `${trouble}; ${fix}`, { cause: error })
}
