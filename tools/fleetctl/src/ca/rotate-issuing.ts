import { createIssuingCertificate, type Csr, fromPem, newSerial, parseCsr, PkiError } from '@fleetroot/pki'
import type { Run } from '../command/command.ts'
import { secondsOf } from '../command/values.ts'
import { FleetctlError } from '../error.ts'
import { type Authority, authorityAnswer, readAuthorities } from './authority.ts'
import { openRootSigners, showFingerprint } from './root-signer.ts'

export const rotateIssuing: Run = async (input, context) => {
  const [kind = ''] = input.args
  const introduceForSeconds = await secondsOf(input, 'introduce-for')
  const introduction = introduceForSeconds === undefined ? {} : { introduceForSeconds }
  const what = `cannot rotate ${kind}`
  if (input.texts('root-key').length === 0) {
    await context.confirm(`Introduce a new issuing CA for ${kind}.`)
    const server = await context.server()
    const body = { kind, ...introduction }
    return authorityAnswer(
      await server.call<Authority>(what, { method: 'POST', path: '/v1/ca/rotations', body, once: true }),
    )
  }

  const server = await context.server()
  const { authorities } = await readAuthorities(server)
  const signers = await openRootSigners(input, context, authorities)
  const request = await server.call<{ id: string; csr: string }>(what, {
    method: 'POST',
    path: '/v1/ca/requests',
    body: { kind },
  })
  const csr = await readRequest(request.csr)
  const roots = signers.map(({ authority }) => authority.id).join(' and ')
  // The server could be somebody else's by now: a human compares what the root is about to sign.
  await context.confirm(`Sign ${request.id} (key ${showFingerprint(csr)}) with ${roots}.`)
  const certificates: string[] = []
  for (const { issuer } of signers) {
    const { publicKey, commonName = '' } = csr
    const now = context.now()
    const issued = await createIssuingCertificate({ issuer, publicKey, commonName, serial: newSerial(), now })
    certificates.push(issued.pem)
  }
  return authorityAnswer(
    await server.call<Authority>(what, {
      method: 'PUT',
      path: `/v1/ca/requests/${encodeURIComponent(request.id)}`,
      body: { certificates, ...introduction },
    }),
  )
}

/** The request of the server, whose proof of possession is verified. */
async function readRequest(pem: string): Promise<Csr> {
  try {
    const [block] = fromPem(pem)
    return await parseCsr(block?.der ?? Buffer.alloc(0))
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    throw new FleetctlError(
      'server-answer-invalid',
      `the server's request cannot be signed: ${error.message}`,
      {
        cause: error,
      },
    )
  }
}
