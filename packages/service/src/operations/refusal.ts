import type { FastifyError, FastifyInstance } from 'fastify'

/** Makes a server say no in one form, whatever it says no to: a `code` for programs and a `detail` for people. */
export function answerRefusals(server: FastifyInstance): void {
  server.setNotFoundHandler((request, reply) => {
    const detail = `there is nothing at ${request.method} ${request.url.slice(0, 200)}`
    return reply.code(404).send({ code: 'not-found', detail })
  })
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode = 500, message } = error
    const code = statusCode < 500 ? 'invalid-request' : 'internal-error'
    return reply.code(statusCode).send({ code, detail: message })
  })
}
