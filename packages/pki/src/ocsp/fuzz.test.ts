import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { mutated } from '../testing/mutation.ts'
import { PkiError } from '../error.ts'
import { createCertId } from './cert-id.ts'
import { answer, appoint, ask, issuing } from '../testing/ocsp.ts'
import { type BasicOcspResponse, parseOcspResponse } from './parse-response.ts'
import { createOcspRequest, parseOcspRequest } from './request.ts'
import { verifyOcspResponse } from './verify-response.ts'
import { rejectionOf } from '../testing/refusal.ts'
import { testNow } from '../testing/authority.ts'

const question = ask(['01', '02', '04'], Buffer.from('a nonce of the usual length, 32.'))
const sha1 = createCertId(issuing.certificate, question.certIds[0]?.serial ?? ('01' as never), 'sha1')
const requests = [
  createOcspRequest({ certIds: question.certIds, nonce: question.nonce }),
  createOcspRequest({ certIds: [sha1] }),
]
const responses = [
  await answer({ request: question }),
  await answer({ request: question, responder: await appoint() }),
]

/** Whether a parser takes the bytes; any exception but its own is a bug, and fast-check prints the seed. */
function takes<T>(parse: () => T, prefix: string): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof PkiError && error.code.startsWith(prefix)) return undefined
    throw error
  }
}

it('a changed request is refused with a PkiError, or understood to the last byte', () => {
  let understood = 0
  fc.assert(
    fc.property(mutated(requests), (der) => {
      const read = takes(() => parseOcspRequest(der), 'ocsp-request-')
      if (read === undefined) return
      understood += 1
      // What is passed over on purpose (names, other extensions) has no place in what we make.
      const plain = createOcspRequest(read)
      if (plain.length === der.length) expect(plain.toString('hex')).toBe(der.toString('hex'))
    }),
    { numRuns: 10_000 },
  )
  expect(understood).toBeGreaterThan(100)
})

it('a changed response is refused with a PkiError, or read and not believed unless what is signed is unchanged', async () => {
  const genuine = responses.map((der) => (parseOcspResponse(der) as BasicOcspResponse).tbs.toString('hex'))
  let read = 0
  await fc.assert(
    fc.asyncProperty(mutated(responses), async (der) => {
      const response = takes(() => parseOcspResponse(der), 'ocsp-response-')
      if (response === undefined) return
      read += 1
      const verified = verifyOcspResponse({
        response,
        request: question,
        issuer: issuing.certificate,
        now: testNow,
      })
      if (response.status === 'successful' && genuine.includes(response.tbs.toString('hex'))) {
        await verified.catch(() => undefined)
      } else expect((await rejectionOf(verified)).code).toMatch(/^ocsp-/)
    }),
    { numRuns: 10_000 },
  )
  expect(read).toBeGreaterThan(100)
})

it('random bytes are refused with a PkiError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => parseOcspRequest(bytes)).toThrow(PkiError)
      expect(() => parseOcspResponse(bytes)).toThrow(PkiError)
    }),
    { numRuns: 2000 },
  )
})
