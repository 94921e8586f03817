import type { DeviceId } from '@fleetroot/pki'
import * as z from 'zod'
import { SimulatorError } from '../error.ts'
import { type RestAnswer, type RestClient, readProblem } from './rest.ts'

const tokenSchema = z.object({ token: z.string().min(1) })

/** What an operator does for a device before it leaves the factory. */
export interface DeviceRegistry {
  /** Makes the device known; false when it was known already. */
  register(id: DeviceId): Promise<boolean>
  /** A one-time token with which this device, and no other, can enroll. */
  makeToken(id: DeviceId, expiresInSeconds: number): Promise<string>
}

/** The registry behind the REST API. Refusals throw SimulatorError `operator-refused` with the server's reason. */
export function deviceRegistry(rest: RestClient): DeviceRegistry {
  return {
    async register(id) {
      const answer = await rest.call('POST', '/v1/devices', { id, profile: 'device' })
      if (answer.status === 201) return true
      if (answer.status === 409 && readProblem(answer).code === 'device-exists') return false
      throw refusal(`cannot register ${id}`, answer)
    },
    async makeToken(id, expiresInSeconds) {
      const answer = await rest.call('POST', `/v1/devices/${id}/tokens`, { expiresInSeconds })
      const created = tokenSchema.safeParse(answer.body)
      if (answer.status === 201 && created.success) return created.data.token
      throw refusal(`cannot make a token for ${id}`, answer)
    },
  }
}

function refusal(what: string, answer: RestAnswer): SimulatorError {
  const { code, detail } = readProblem(answer)
  return new SimulatorError('operator-refused', `${what}: ${detail} (${code})`)
}
