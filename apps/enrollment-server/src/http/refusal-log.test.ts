import { createLogger } from '@fleetroot/service'
import { describe, expect, it } from 'vitest'
import { createRefusalLog } from './refusal-log.ts'

function log(pretty = false) {
  const lines: string[] = []
  let at = 0
  const logger = createLogger({
    name: 'test',
    level: 'warn',
    pretty,
    stream: { write: (line) => lines.push(line) },
  })
  const refused = createRefusalLog(logger, () => at)
  return { lines, refused, wait: (ms: number) => (at += ms) }
}

const refusal = { code: 'field-invalid', detail: 'body.id: is missing' } as const

describe('the log of refusals', () => {
  it('has one line for a refusal at the default level, with code, detail, route, address and identity', () => {
    const { lines, refused } = log()
    refused(refusal, { method: 'POST', path: '/v1/devices', address: '192.0.2.1', id: 'operator' })
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      msg: 'request refused',
      decision: 'field-invalid',
      detail: 'body.id: is missing',
      method: 'POST',
      path: '/v1/devices',
      address: '192.0.2.1',
      id: 'operator',
    })
  })

  it('cannot be flooded: twenty at once, two a second, and how many were left out', () => {
    const { lines, refused, wait } = log()
    for (let n = 0; n < 10_000; n++) refused(refusal, {})
    expect(lines).toHaveLength(20)
    wait(500)
    refused(refusal, {})
    refused(refusal, {})
    expect(lines).toHaveLength(21)
    expect(JSON.parse(lines[20]!)).toMatchObject({ leftOut: 9980 })
    wait(60_000)
    refused(refusal, {})
    expect(JSON.parse(lines[21]!)).toMatchObject({ leftOut: 1 })
    refused(refusal, {})
    expect(JSON.parse(lines[22]!)).not.toHaveProperty('leftOut')
  })

  it('does not warn of the first request of HTTP authentication, nor of what is registered already', () => {
    const { lines, refused } = log()
    refused({ code: 'credential-missing', detail: 'Authorization: send it' }, {})
    refused({ code: 'device-exists', detail: 'id: a is in the inventory' }, {})
    expect(lines).toEqual([])
  })

  it.each([false, true])(
    'has no control characters that a client has chosen, readable lines: %s',
    (pretty) => {
      const { lines, refused } = log(pretty)
      const chosen = 'x\u001b[2J\r\nfake line\u0000\u009b31m\u202e'
      refused({ code: 'field-invalid', detail: chosen }, { path: chosen, method: chosen, id: chosen })
      const text = lines.join('')
      expect(text.trimEnd()).not.toContain('\n')
      // oxlint-disable-next-line no-control-regex -- they are what must not be there
      expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    },
  )
})
