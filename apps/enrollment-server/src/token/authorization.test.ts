import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAuthorization } from './authorization.ts'
import { newToken, tokenHash } from './token.ts'

const token = newToken()
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('a token', () => {
  it('is 256 bits of base64url, and is stored as its SHA-256', () => {
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(newToken()).not.toBe(token)
    // RFC 6234's test vector for "abc".
    expect(tokenHash('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})

describe('an Authorization header', () => {
  it('gives the id and the token of Basic', () => {
    expect(readAuthorization(basic(`sensor-1:${token}`), 'basic')).toEqual({
      ok: true,
      token,
      id: 'sensor-1',
    })
  })

  it('gives the token of Bearer, whatever the case of the scheme', () => {
    expect(readAuthorization(`bearer ${token}`, 'bearer')).toEqual({ ok: true, token })
  })

  it.each([
    ['nothing', undefined, 'credential-missing'],
    ['the other scheme', `Bearer ${token}`, 'credential-malformed'],
    ['an unknown scheme', 'Digest username="x"', 'credential-malformed'],
    ['no colon', basic('sensor-1'), 'credential-malformed'],
    ['no id', basic(`:${token}`), 'credential-malformed'],
    ['a path for an id', basic(`../x:${token}`), 'credential-malformed'],
    ['a line feed in the id', basic(`a\nSet-Cookie: x:${token}`), 'credential-malformed'],
    ['NUL in the id', basic(`a\0b:${token}`), 'credential-malformed'],
    ['base64 with junk', `${basic(`sensor-1:${token}`)} x`, 'credential-malformed'],
    ['a password that is no token', basic('sensor-1:hunter2'), 'token-invalid'],
    ['SQL for a password', basic(`sensor-1:' OR 1=1 --`), 'token-invalid'],
    ['a very long value', basic(`sensor-1:${'x'.repeat(9000)}`), 'credential-malformed'],
  ])('with %s is refused', (_name, header, code) => {
    expect(readAuthorization(header, 'basic')).toMatchObject({ ok: false, code })
  })

  it('is refused or gives an id and a token of the right form, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (id, password) => {
        const sent = readAuthorization(basic(`${id}:${password}`), 'basic')
        expect(!sent.ok || (/^[\w.-]+$/.test(sent.id ?? '') && sent.token.length === 43)).toBe(true)
      }),
    )
  })
})
