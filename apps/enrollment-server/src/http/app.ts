import { createServer as createPlainServer, STATUS_CODES } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TlsOptions } from 'node:tls'
import rateLimit from '@fastify/rate-limit'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from '@fleetroot/service'
import { type ProblemCode, problemKinds } from '../problem/codes.ts'
import { refusalOf } from '../problem/from-error.ts'
import { type Refusal, RequestRefused } from '../problem/refusal.ts'
import { drainBody } from './body-drain.ts'
import { limitBodyTime } from './body-time.ts'
import { bodyLimitBytes, type RateLimits, serverLimits } from './limits.ts'
import { limitPipelining, mostUnanswered } from './pipelining.ts'
import { createRefusalLog } from './refusal-log.ts'
import { occurrence, sendRefusal } from './refuse.ts'

/**
 * A fastify instance with what every listener of this server has: limits in size, time and rate, and every
 * refusal, fastify's own included, in the format of its protocol. With `tls` it serves HTTPS.
 */
export async function createApp(options: {
  logger: Logger
  limits: RateLimits
  tls?: TlsOptions
  /** Told the code of every refusal. */
  refused?: (code: string) => void
}): Promise<FastifyInstance> {
  const { logger, limits, tls, refused = () => {} } = options
  const logRefusal = createRefusalLog(logger)
  const refuse = (request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply => {
    refused(refusal.code)
    const path = request.routeOptions.url ?? request.url.split('?', 1)[0]?.slice(0, 200) ?? ''
    const { method, ip: address, credential } = request
    const id = credential && 'id' in credential ? credential.id : undefined
    logRefusal(refusal, { method, path, address, ...(id !== undefined && { id }) })
    return sendRefusal(request, reply, refusal)
  }
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    logger: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 128 },
    serverFactory: (handler) => {
      const limited = limitPipelining(handler, ({ remoteAddress: address }) => {
        refused('rate-limited')
        const detail = `connection: more than ${mostUnanswered} requests wait for their answers`
        logRefusal({ code: 'rate-limited', detail }, { address })
      })
      return tls
        ? createSecureServer({ ...tls, ...serverLimits }, limited)
        : createPlainServer(serverLimits, limited)
    },
    clientErrorHandler: (error, socket) => {
      const code = refuseMalformed(error, socket)
      if (!code) return
      refused(code)
      logRefusal({ code, detail: error.message }, { address: socket.remoteAddress })
    },
    frameworkErrors: (error, request, reply) => void refuse(request, reply, refusalOf(error)),
  })
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.config.isStreamed !== true) limitBodyTime(raw, app.server)
  })
  // Node would answer this by itself, without a word.
  app.addHook('onRequest', async ({ raw }) => {
    if (raw.httpVersion !== '1.1' || raw.headers.host !== undefined) return
    const detail = 'Host: send it, as HTTP/1.1 asks (RFC 9112, section 3.2)'
    throw new RequestRefused({ code: 'request-malformed', detail })
  })
  app.setErrorHandler(async (error, request, reply) => {
    const refusal = refusalOf(error)
    if (refusal.code === 'internal' || refusal.code === 'registry-unavailable') {
      logger.error(
        { err: error, occurrence: occurrence(request), path: request.routeOptions.url },
        refusal.code,
      )
    }
    if (refusal.code === 'body-too-large' && !(await drainBody(request.raw)))
      reply.header('connection', 'close')
    return refuse(request, reply, refusal)
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
    refuse(request, reply, {
      code: 'path-unknown',
      detail: 'path: nothing is here; see docs/enrollment.md',
    }),
  )
  return app
}

/** What Node's parser refuses never becomes a request: the answer is written to the socket as it is. Undefined: nobody hears it. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): ProblemCode | undefined {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy()
    return undefined
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
  return code
}

/** What Node's parser and its timers call the refusals that have a code of their own. */
const parserCodes: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'header-too-large',
}
