import type { Run } from '../command/command.ts'
import { type Authority, authorityAnswer, authorityIdOf } from './authority.ts'

export const activateAuthority: Run = async (input, context) => {
  const id = authorityIdOf(input.args[0])
  await context.confirm(`Activate ${id} now: whoever has not learnt of it yet will refuse what it issues.`)
  const server = await context.server()
  return authorityAnswer(
    await server.call<Authority>(`cannot activate ${id}`, {
      method: 'POST',
      path: `/v1/ca/${id}/activate`,
      body: {},
    }),
  )
}

export const retireAuthority: Run = async (input, context) => {
  const id = authorityIdOf(input.args[0])
  const force = input.on('force')
  await context.confirm(
    `Retire ${id} for ever: nobody will trust what it issued${force ? ', in use or not' : ''}.`,
  )
  const server = await context.server()
  return authorityAnswer(
    await server.call<Authority>(`cannot retire ${id}`, {
      method: 'POST',
      path: `/v1/ca/${id}/retire`,
      body: { force },
    }),
  )
}
