import { isIP } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'

/**
 * Why a request is not answered because a web page may have sent it; undefined: none has. A browser on the machine reaches
 * what listens on loopback, and shows the operator's certificate, for whatever page is open in it. It says so in Origin
 * (RFC 6454), except for some GETs, and there in Sec-Fetch-Site (W3C Fetch Metadata), which no page can leave out.
 */
export function refuseWebPage(headers: IncomingHttpHeaders): string | undefined {
  if (headers.origin !== undefined) return 'the request comes from a web page'
  const site = headers['sec-fetch-site']
  // `none`: typed into the address bar by whoever sits there.
  return site === undefined || site === 'none' ? undefined : 'the request comes from a web page'
}

/**
 * Why a request to a loopback listener is not answered: it was made for another name than an address or `localhost`. So does a
 * page whose own name resolves to 127.0.0.1 (DNS rebinding), which its browser takes for the page's own server.
 */
export function refuseOtherHost({ host = '' }: IncomingHttpHeaders): string | undefined {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  if (name === 'localhost' || isIP(name) > 0) return undefined
  return `the request is for the host ${JSON.stringify(name.slice(0, 80))}; ask for localhost or an address`
}
