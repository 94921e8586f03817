import { resolve } from 'node:path'
import type { Run } from '../command/command.ts'
import { readPolicy } from './file.ts'

export const checkPolicy: Run = async (input) => {
  const [path = ''] = input.args
  const { roles } = await readPolicy(path)
  const counts = [...roles].map(([role, { publish, subscribe }]) => ({
    role,
    publish: publish.length,
    subscribe: subscribe.length,
  }))
  const told = counts.map(
    ({ role, publish, subscribe }) => `${role} (publish ${publish}, subscribe ${subscribe})`,
  )
  return {
    kind: 'text',
    json: { file: resolve(path), ok: true, roles: counts },
    text: `${path} is valid; rules: ${told.join(', ') || 'none, everything is denied'}`,
  }
}
