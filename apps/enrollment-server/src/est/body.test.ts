import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCsrBody, encodeBody } from './body.ts'

// Long enough that its base64 needs several lines.
const der = Buffer.concat([Buffer.from([0x30, 0x82, 0x01, 0x00]), randomBytes(256)])
const base64 = der.toString('base64')
const wrapped = base64.replace(/.{1,64}/g, '$&\n')
const pem = (label: string) => `-----BEGIN ${label}-----\n${wrapped}-----END ${label}-----\n`

describe('a request body', () => {
  it.each([
    ['base64 in one line, as strongSwan sends it', base64],
    ['base64 in lines, as libest sends it', wrapped],
    ['base64 with CRLF', wrapped.replaceAll('\n', '\r\n')],
    ['PEM armour', pem('CERTIFICATE REQUEST')],
    ['PEM armour of old openssl', pem('NEW CERTIFICATE REQUEST')],
    ['PEM armour with CRLF', pem('CERTIFICATE REQUEST').replaceAll('\n', '\r\n')],
    ['raw DER', der],
  ])('is read from %s', (_name, body) => {
    const decoded = decodeCsrBody(Buffer.from(body))
    expect(decoded.ok && decoded.der.equals(der)).toBe(true)
  })

  it.each([
    ['nothing', '', 'body-missing'],
    ['white space', ' \r\n', 'body-missing'],
    ['JSON', '{"csr":"MII"}', 'body-malformed'],
    ['base64 with a character too many', `${base64}!`, 'body-malformed'],
    ['base64 of the URL kind', base64.replace('M', '-'), 'body-malformed'],
    [
      'base64 of something that is no SEQUENCE',
      Buffer.from('0203010001', 'hex').toString('base64'),
      'body-malformed',
    ],
    ['a certificate in PEM', pem('CERTIFICATE'), 'body-malformed'],
    ['two requests in PEM', pem('CERTIFICATE REQUEST').repeat(2), 'body-malformed'],
    ['armour without an end', pem('CERTIFICATE REQUEST').slice(0, -9), 'body-malformed'],
  ])('of %s is refused', (_name, body, code) => {
    expect(decodeCsrBody(Buffer.from(body))).toMatchObject({ ok: false, code })
  })

  it('is refused or comes out as a SEQUENCE, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodeCsrBody(Buffer.from(bytes))
        expect(!decoded.ok || decoded.der[0] === 0x30).toBe(true)
      }),
    )
  })
})

describe('a response body', () => {
  const short = randomBytes(700)
  const long = randomBytes(3000)

  it('is one line up to 996 characters for everybody', () => {
    for (const agent of [undefined, 'libest 3.2.0', 'curl/8']) {
      expect(encodeBody(short, agent)).toBe(`${short.toString('base64')}\n`)
    }
  })

  it('is wrapped at 64 columns for libest when it is longer', () => {
    const lines = encodeBody(long, 'libest 3.2.0').trimEnd().split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBe(64)
    expect(Buffer.from(lines.join(''), 'base64')).toEqual(long)
  })

  it('is one line for strongSwan, which sends no User-Agent, however long it is', () => {
    expect(encodeBody(long, undefined)).toBe(`${long.toString('base64')}\n`)
  })
})
