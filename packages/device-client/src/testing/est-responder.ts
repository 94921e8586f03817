import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'

import {
  type Certificate,
  checkCsr,
  commonNames,
  defaultProfiles,
  encodeCertsOnly,
  parseCertificate,
  parseCsr,
  parseDeviceId,
} from '@fleetroot/pki'
import { peerIdentity, serverTlsOptions } from '@fleetroot/tls-config'

import type { Authority, Leaf, LeafOptions } from './authority.ts'

/** An EST server (RFC 7030) over real TLS: it verifies every CSR, really issues, and burns its tokens. */
export interface EstResponder {
  url: string
  authority: Authority
  /** `<operation> <status>` of every answer. */
  log: string[]
  /** Bodies of the CSRs that were posted. */
  requests: string[]
  addToken(id: string, token: string): void
  /** Renews certificates that have expired, too. */
  grace: boolean
  /** How the next certificates are made. */
  issue: LeafOptions
  /** Answers the next requests instead; each is used once. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void)[]
  /** Changes what is sent back for an enrollment. */
  answer: (certificate: Certificate) => Promise<Certificate[]> | Certificate[]
  /** What it answers to cacerts. */
  cacerts: Certificate[]
  /** Another certificate, and other trust in devices, for new connections. */
  setIdentity(identity: Leaf, trust?: string[]): void
  close(): Promise<void>
}

/** A CSR whose content is refused: 400, and the token stays good. */
class RefusedRequest extends Error {}

interface Token {
  id: string
  /** The CSR that used it, and what it got: a retry with the same CSR, or one beside it, gets the same. */
  used?: { csr: string; certificate: Promise<Certificate> }
}

export async function startEstResponder(authority: Authority, identity?: Leaf): Promise<EstResponder> {
  const tokens = new Map<string, Token>()
  const tlsOptions = (own: Leaf, trust = authority.trust) =>
    serverTlsOptions({ identity: own, trust, mode: 'compatible', clientCertificate: 'optional' })
  const server = createServer(tlsOptions(identity ?? (await authority.server())), (request, response) => {
    handle(request, response).catch((error: unknown) => {
      const isRefused = error instanceof RefusedRequest
      send(response, request, isRefused ? 400 : 500, 'text/plain', isRefused ? error.message : String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const responder: EstResponder = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    authority,
    log: [],
    requests: [],
    grace: false,
    addToken: (id, token) => tokens.set(token, { id }),
    issue: {},
    instead: [],
    answer: (certificate) => [certificate],
    cacerts: authority.all,
    setIdentity: (own, trust) => server.setSecureContext(tlsOptions(own, trust)),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const instead = responder.instead.shift()
    const body = await readText(request)
    if (instead) {
      instead(request, response)
      return
    }
    switch (request.url ?? '') {
      case '/.well-known/est/cacerts':
        sendCertificates(response, request, responder.cacerts)
        return
      case '/.well-known/est/csrattrs':
        send(response, request, 204, 'application/csrattrs', '')
        return
      case '/.well-known/est/simpleenroll':
        await simpleEnroll(request, response, body)
        return
      case '/.well-known/est/simplereenroll':
        await simpleReenroll(request, response, body)
        return
      default:
        send(response, request, 404, 'text/plain', 'no such resource')
    }
  }

  async function simpleEnroll(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): Promise<void> {
    responder.requests.push(body)
    const [id = '', secret = ''] = basicCredentials(request)
    const token = tokens.get(secret)
    const repeated = token?.used && token.used.csr !== body
    if (token?.id !== id || repeated) {
      response.setHeader('www-authenticate', 'Basic realm="est"')
      send(response, request, 401, 'text/plain', 'token: unknown or used; have a new one made')
      return
    }
    // Burned before anything is awaited: what arrives meanwhile waits for the same certificate.
    token.used ??= { csr: body, certificate: issue(body, id) }
    try {
      sendCertificates(response, request, await responder.answer(await token.used.certificate))
    } catch (error) {
      if (error instanceof RefusedRequest) delete token.used
      throw error
    }
  }

  async function simpleReenroll(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): Promise<void> {
    responder.requests.push(body)
    const peer = peerIdentity(request.socket as TLSSocket, {
      issuers: [{ certificate: authority.devices.certificate, roles: ['device'] }],
      trustDomain: 'fleet.test',
      now: new Date(),
    })
    // Said only of a certificate that is genuine in every other respect.
    const isLate = peer.kind === 'refused' && peer.code === 'certificate-expired' && responder.grace
    if (peer.kind !== 'identity' && !isLate) {
      const why = peer.kind === 'none' ? 'no client certificate' : peer.detail
      send(response, request, 403, 'text/plain', why)
      return
    }
    const current = parseCertificate(
      (request.socket as TLSSocket).getPeerX509Certificate()?.raw ?? Buffer.alloc(0),
    )
    const csr = await parseCsr(Buffer.from(body, 'base64'))
    // RFC 7030 section 4.2.2: subject and names of the certificate that is renewed.
    if (JSON.stringify(csr.subjectAltNames) !== JSON.stringify(current.subjectAltNames)) {
      send(response, request, 400, 'text/plain', 'subjectAltName: must be that of the current certificate')
      return
    }
    const certificate = await issue(body, commonNames(current.subject)[0] ?? '')
    sendCertificates(response, request, await responder.answer(certificate))
  }

  async function issue(body: string, id: string): Promise<Certificate> {
    const csr = await parseCsr(Buffer.from(body, 'base64'))
    const subject = { id: parseDeviceId(id), trustDomain: 'fleet.test' }
    const refused = checkCsr(csr, defaultProfiles.device, subject)
    if (refused) throw new RefusedRequest(refused.detail)
    return authority.issueDevice(id, csr.publicKey, responder.issue)
  }

  function sendCertificates(
    response: ServerResponse,
    request: IncomingMessage,
    certificates: Certificate[],
  ): void {
    const body = `${encodeCertsOnly(certificates).toString('base64')}\n`
    send(response, request, 200, 'application/pkcs7-mime; smime-type=certs-only', body)
  }

  function send(
    response: ServerResponse,
    request: IncomingMessage,
    status: number,
    type: string,
    body: string,
  ): void {
    responder.log.push(`${request.url?.split('/').at(-1)} ${status}`)
    response.writeHead(status, { 'content-type': type }).end(body)
  }

  return responder
}

function basicCredentials(request: IncomingMessage): string[] {
  const encoded = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
  return Buffer.from(encoded, 'base64').toString('utf8').split(':')
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString('latin1')
  return text
}
