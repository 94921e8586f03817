import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultProfiles } from '@fleetroot/pki'
import { issueLeaf, makeHierarchy } from '@fleetroot/pki/testing'

/** A question as it arrived. */
export interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly data: Record<string, unknown>
}

/** A real authorization service on loopback, with a CA of its own. */
export interface TestAuthorizationService {
  /** What an enrollment server is started with in order to ask it. */
  readonly config: {
    readonly authorizationUrl: string
    readonly authorizationSecretFile: string
    readonly authorizationTrustFile: string
  }
  readonly secret: string
  readonly asked: Asked[]
  /** Answers from now on. Default: yes. */
  answer: (response: ServerResponse, asked: Asked) => unknown
  close(): Promise<void>
}

/** Starts one. The test closes it. */
export async function openAuthorizationService(): Promise<TestAuthorizationService> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetroot-authorization-'))
  const { root, services } = await makeHierarchy()
  const { key, cert } = await issueLeaf(services, {
    id: 'authorization',
    profile: defaultProfiles.service,
    trustDomain: 'other.example',
    dns: ['localhost'],
  })
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const [secretFile, trustFile] = [join(folder, 'secret'), join(folder, 'trust.pem')]
  await writeFile(secretFile, `${secret}\n`)
  await chmod(secretFile, 0o600)
  await writeFile(trustFile, root.certificate.pem)

  const asked: Asked[] = []
  const server = createServer({ key, cert }, (request, response) => void hear(request, response))
  async function hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { data } = JSON.parse(body) as { data: Record<string, unknown> }
    const one = { headers: request.headers, body, data }
    asked.push(one)
    service.answer(response, one)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const service: TestAuthorizationService = {
    config: {
      authorizationUrl: `https://localhost:${(server.address() as AddressInfo).port}/authorize`,
      authorizationSecretFile: secretFile,
      authorizationTrustFile: trustFile,
    },
    secret,
    asked,
    answer: (response) => response.end('{"allow": true}'),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
  return service
}
