import { createServer as createPlainServer, STATUS_CODES } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TlsOptions } from 'node:tls'
import rateLimit from '@fastify/rate-limit'
import { fastify, type FastifyInstance } from 'fastify'
import type { Logger } from '@fleetroot/service'
import { type ProblemCode, problemKinds } from '../problem/codes.ts'
import { refusalOf } from '../problem/from-error.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { bodyLimitBytes, type RateLimits, serverLimits } from './limits.ts'
import { occurrence, sendRefusal } from './refuse.ts'

/**
 * A fastify instance with what every listener of this server has: limits in size, time and rate, and every
 * refusal, fastify's own included, in the format of its protocol. With `tls` it serves HTTPS.
 */
export async function createApp(options: {
  logger: Logger
  limits: RateLimits
  tls?: TlsOptions
}): Promise<FastifyInstance> {
  const { logger, limits, tls } = options
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    logger: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    serverFactory: (handler) =>
      tls
        ? createSecureServer({ ...tls, ...serverLimits }, handler)
        : createPlainServer(serverLimits, handler),
    clientErrorHandler: (error, socket) => refuseMalformed(error, socket),
    frameworkErrors: (error, request, reply) => void sendRefusal(request, reply, refusalOf(error)),
  })
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error)
    if (refusal.code === 'internal' || refusal.code === 'registry-unavailable') {
      logger.error(
        { err: error, occurrence: occurrence(request), path: request.routeOptions.url },
        refusal.code,
      )
    }
    return sendRefusal(request, reply, refusal)
  })
  await app.register(rateLimit, {
    max: limits.requestsPerMinute,
    timeWindow: 60_000,
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
    errorResponseBuilder: (_request, { ttl }) =>
      new RequestRefused({
        code: 'rate-limited',
        detail: `address: at most ${limits.requestsPerMinute} requests in a minute`,
        retryAfterSeconds: Math.ceil(ttl / 1000),
      }),
  })
  // Scanners count like everybody else.
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) =>
    sendRefusal(request, reply, {
      code: 'path-unknown',
      detail: 'path: nothing is here; see docs/enrollment.md',
    }),
  )
  return app
}

/** What Node's parser refuses never becomes a request: the answer is written to the socket as it is. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const code = parserCodes[error.code ?? ''] ?? 'request-malformed'
  const { status, title, fix } = problemKinds[code]
  const body = `${code}: ${title} ${fix}\n`
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  // A client that does not close its side must not keep ours.
  socket.setTimeout(1000, () => socket.destroy())
}

/** What Node's parser and its timers call the refusals that have a code of their own. */
const parserCodes: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'header-too-large',
}
