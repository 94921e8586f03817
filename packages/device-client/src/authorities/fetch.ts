import { clientTlsOptions, enrollmentServer, type TlsMode } from '@fleetroot/tls-config'

import { httpsServer } from '../https/exchange.ts'
import { refusal } from '../https/refusal.ts'
import { parseServerUrl } from '../https/url.ts'
import { type Trust, trustPem } from '../trust/anchors.ts'
import { type CaBundle, parseCaBundle } from './ca-bundle.ts'

/** Options of `fetchCaBundle`. */
export interface CaBundleOptions {
  /** `https://host[:443]` of the enrollment server. */
  url: string
  /** For the server's TLS certificate. */
  trust: Trust
  mode?: TlsMode
  serverName?: string
  /** Default 30,000. */
  timeoutMs?: number
}

/**
 * Fetches `/v1/ca`. The answer is as trustworthy as the TLS connection: the caller still checks that the
 * issuing CAs chain to the roots that it trusts.
 *
 * Throws DeviceClientError as `EstClient` does; `response-invalid` names the member that is wrong.
 */
export async function fetchCaBundle(options: CaBundleOptions): Promise<CaBundle> {
  const { trust, mode = 'compatible', serverName, timeoutMs = 30_000 } = options
  const url = parseServerUrl(options.url, ['https:'])
  const tls = clientTlsOptions({
    trust: trustPem(trust),
    mode,
    server: enrollmentServer,
    ...(serverName === undefined ? {} : { serverName }),
  })
  const server = httpsServer(url, () => tls, { timeoutMs, maxResponseBytes: 256 * 1024 })
  try {
    const answer = await server.send({
      method: 'GET',
      path: '/v1/ca',
      headers: { accept: 'application/json' },
    })
    if (answer.status !== 200) throw refusal(answer, 'GET /v1/ca', new Date())
    return parseCaBundle(answer.body.toString('utf8'))
  } finally {
    server.close()
  }
}
