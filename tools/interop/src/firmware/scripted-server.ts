import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'

/** A request as it came. */
export interface ScriptedRequest {
  readonly path: string
  readonly body: string
}

/** What goes back, octet by octet: all of an HTTP answer, and whether the connection ends behind it. */
export interface ScriptedAnswer {
  readonly octets: string | Buffer
  readonly ends?: boolean
}

/** A TLS server that answers HTTP requests with whatever a test wants to see a client deal with. */
export interface ScriptedServer extends AsyncDisposable {
  readonly port: number
}

/** Opens one on loopback. `answer` is asked for each request, with all that has come of it. */
export async function openScriptedServer(
  identity: { key: string; cert: string },
  answer: (request: ScriptedRequest) => Promise<ScriptedAnswer>,
): Promise<ScriptedServer> {
  async function respond(socket: TLSSocket, request: ScriptedRequest): Promise<void> {
    const { octets, ends } = await answer(request)
    socket.write(octets)
    if (ends === true) socket.end()
  }
  const server = createServer(identity, (socket) => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1')
      const [head = '', body] = text.split('\r\n\r\n', 2)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (body === undefined || body.length < length) return
      text = ''
      void respond(socket, { path: head.split(' ')[1] ?? '', body })
    })
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}
