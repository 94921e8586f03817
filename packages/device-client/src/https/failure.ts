import { explainTlsFailure } from '@fleetroot/tls-config'

import { DeviceClientError } from '../error.ts'

/** The host cannot be reached, or nothing answers there: another attempt may succeed. */
const networkCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/**
 * What a socket's error means: `network-failed`, or `tls-failed` with the sentence and the code of
 * `explainTlsFailure`. A DeviceClientError is given back as it is. `host` is host:port, for the sentence.
 */
export function connectionFailure(error: unknown, host: string): DeviceClientError {
  if (error instanceof DeviceClientError) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code === undefined || networkCodes.has(code)) {
    const why = code ?? (error instanceof Error ? error.message : 'unknown')
    return new DeviceClientError('network-failed', `no connection to ${host} (${why})`, { cause: error })
  }
  if (code.startsWith('HPE_')) {
    return new DeviceClientError('response-invalid', `${host} does not speak HTTP (${code})`, {
      cause: error,
    })
  }
  const explained = explainTlsFailure(error, { side: 'client', host })
  return new DeviceClientError('tls-failed', explained.sentence, { cause: error, tlsCode: explained.code })
}
