import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createLogger, type LogLevel } from './logger.ts'

function logged(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ name: 'broker', level: 'debug', stream, ...options })
  return { lines, logger }
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })

describe('the logger', () => {
  it('writes one JSON line with level, time, name and message', () => {
    const { lines, logger } = logged()
    logger.info({ deviceId: 'thermo-1' }, 'certificate issued')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      name: 'broker',
      deviceId: 'thermo-1',
      msg: 'certificate issued',
    })
  })

  it.each([false, true])(
    'writes no control that moves a terminal, a line or the reading direction (pretty: %s)',
    (pretty) => {
      const { lines, logger } = logged({ pretty })
      logger.warn({ topic: 'a\u009b2Jb\u0085c\u2028d\u202ee' }, 'publish denied')
      expect(lines.join('')).not.toMatch(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
      expect(lines.join('')).toContain('a\\u009b2Jb\\u0085c\\u2028d\\u202ee')
    },
  )

  it('keeps an error with its stack on one line', () => {
    const { lines, logger } = logged()
    logger.error({ err: new Error('it broke') }, 'failed')
    expect(lines.join('').trimEnd()).not.toContain('\n')
    expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ message: 'it broke' })
  })

  it('is quiet below warn when stderr is no terminal and no level is chosen', () => {
    const logger = createLogger({ name: 'broker', stream: { write: () => {} } })
    expect(logger.level).toBe('warn')
  })

  it('writes a readable line when asked to', () => {
    const { lines, logger } = logged({ pretty: true })
    logger.warn({ deviceId: 'thermo-1', token: 'abc' }, 'refused')
    expect(lines.join('')).toMatch(
      /^\[\d\d:\d\d:\d\d\] WARN: refused \{"deviceId":"thermo-1","token":"\[redacted\]"\}\n$/,
    )
  })
})

describe('an error on a terminal', () => {
  it('is one line, with its stack only at level debug', () => {
    const quiet = logged({ pretty: true, level: 'info' })
    quiet.logger.error({ err: new Error('it broke') }, 'failed')
    expect(quiet.lines.join('')).toMatch(/^\[[\d:]+\] ERROR: failed \{"cause":"it broke"\}\n$/)
    const debugging = logged({ pretty: true, level: 'debug' })
    debugging.logger.error({ err: new Error('it broke') }, 'failed')
    expect(debugging.lines.join('')).toContain('logger.test.ts')
  })
})

describe('redaction', () => {
  const secret = 'c2VjcmV0LXNlY3JldA'

  it.each([
    'token',
    'bootstrapToken',
    'X-Auth-Token',
    'password',
    'challengePassword',
    'passphrase',
    'authorization',
    'Authorization',
    'Set-Cookie',
    'clientSecret',
    'privateKey',
    'private_key',
    'key',
  ])('removes the field %s at the top, nested, in a list and in a child logger', (name) => {
    const { lines, logger } = logged()
    logger.info(
      { [name]: secret, headers: { [name]: secret }, list: [{ deep: { [name]: secret } }] },
      'request',
    )
    logger.child({ [name]: secret }).info('request')
    expect(lines.join('')).not.toContain(secret)
    expect(lines.join('').match(/\[redacted\]/g)).toHaveLength(4)
  })

  it.each(['tokenId', 'publicKey', 'keyAlgorithm', 'serial', 'deviceId'])('keeps the field %s', (name) => {
    const { lines, logger } = logged()
    logger.info({ [name]: 'visible' }, 'request')
    expect(lines[0]).toContain('visible')
  })

  it('removes private keys and Authorization values from messages and errors', () => {
    const { lines, logger } = logged()
    logger.info(`read ${pem}`)
    logger.info({ beginning: pem.slice(0, 90) }, 'cut off')
    logger.error({ err: new Error(`cannot parse ${pem}`) }, `Authorization: Bearer ${secret}`)
    logger.info({ curl: `curl -H 'Authorization: Basic ${secret}'` }, 'request')
    expect(lines.join('')).not.toContain(secret)
    expect(lines.join('')).not.toContain(pem.split('\n')[1])
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow()
  })

  it('removes private key objects and shows buffers by their length', () => {
    const { lines, logger } = logged()
    logger.info({ pair: { a: privateKey, b: publicKey }, csr: Buffer.from(secret) }, 'made')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      pair: { a: '[redacted]', b: '[public key]' },
      csr: '[18 bytes]',
    })
  })

  it('survives circular records', () => {
    const { lines, logger } = logged()
    const record: Record<string, unknown> = { id: 1 }
    record['self'] = record
    logger.info({ record }, 'round')
    expect(lines[0]).toContain('[circular]')
  })
})
