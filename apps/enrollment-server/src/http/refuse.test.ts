import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { sendRefusal } from './refuse.ts'

it('a reason in EST is one line without control characters, whatever is quoted in it', async () => {
  const app = fastify()
  const detail = 'csr: a\r\nb\u0000\u001b[31m\u009b\u202e'
  app.get('/.well-known/est/cacerts', (request, reply) =>
    sendRefusal(request, reply, { code: 'body-malformed', detail }),
  )
  const { body } = await app.inject('/.well-known/est/cacerts')
  expect(body).toBe('body-malformed: csr: a\\u000d\\u000ab\\u0000\\u001b[31m\\u009b\\u202e\n')
  await app.close()
})
