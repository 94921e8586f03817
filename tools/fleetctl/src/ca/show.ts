import { describeCertificate } from '@fleetroot/pki'
import type { Run } from '../command/command.ts'
import { FleetctlError } from '../error.ts'
import { authorityIdOf, certificateOf, readAuthorities } from './authority.ts'

export const showAuthority: Run = async (input, context) => {
  const id = authorityIdOf(input.args[0])
  const { authorities } = await readAuthorities(await context.server({ anonymous: true }))
  const found = authorities.find((authority) => authority.id === id)
  if (!found) {
    const known = authorities.map((authority) => authority.id).join(', ')
    throw new FleetctlError('refused', `${id} is not trusted here; there are ${known}`)
  }
  const certificate = certificateOf(found)
  if (input.on('pem')) return { kind: 'text', json: found, text: certificate.pem.trimEnd() }
  return {
    kind: 'text',
    json: found,
    text: `state         ${found.state}\n${describeCertificate(certificate)}`,
  }
}
