import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'

/** Speaks REST to an enrollment server with the operator certificate of a data directory. */
export interface Operator {
  /** One call; resolves to status and parsed body whatever the status. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: unknown }>
  /** Registers a device and returns a one-time token for it; throws on any other answer than 201. */
  token(id: string, record?: Record<string, unknown>): Promise<string>
  close(): void
}

export function operator(data: string, url: string): Operator {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ca: readFileSync(join(data, 'public/root.crt')),
    cert: readFileSync(join(data, 'operator/cert.pem')),
    key: readFileSync(join(data, 'operator/key.pem')),
  })
  const call: Operator['call'] = (method, path, body, extra = {}) =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const headers = { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...extra }
      const outgoing = request(new URL(path, url), { agent, method, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) })
        })
        response.on('error', reject)
      })
      outgoing.on('error', reject)
      outgoing.end(payload)
    })
  const created = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await call('POST', path, body)
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  return {
    call,
    token: async (id, record = {}) => {
      await created('/v1/devices', { id, ...record })
      return ((await created(`/v1/devices/${id}/tokens`, {})) as { token: string }).token
    },
    close: () => agent.destroy(),
  }
}
