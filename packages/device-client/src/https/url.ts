import { DeviceClientError } from '../error.ts'

/**
 * Parses the URL of a server. Throws DeviceClientError `url-invalid` unless its scheme is one of `schemes`
 * (all of them TLS: there is no plaintext) and it holds no credentials, query or fragment.
 */
export function parseServerUrl(text: string, schemes: readonly `${string}:`[]): URL {
  const allowed = schemes.map((scheme) => `${scheme}//`).join(' or ')
  if (!URL.canParse(text)) {
    throw new DeviceClientError('url-invalid', `"${text}" is not a URL: write it as ${allowed}host:port`)
  }
  const url = new URL(text)
  if (!schemes.some((scheme) => scheme === url.protocol)) {
    throw new DeviceClientError('url-invalid', `the URL begins with ${url.protocol}//: it must be ${allowed}`)
  }
  if (
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.hostname === ''
  ) {
    throw new DeviceClientError(
      'url-invalid',
      `the URL of ${url.host || 'the server'} must have a host and no user, password, query or fragment`,
    )
  }
  return url
}

/** The host as certificates and sockets name it: IPv6 without the brackets of URLs. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}
