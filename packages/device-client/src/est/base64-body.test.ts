import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { decodeBase64Body, encodeBase64Body } from './base64-body.ts'

/** SEQUENCE { OCTET STRING of 300 bytes }: long enough to be wrapped. */
const der = Buffer.concat([Buffer.from('3082013004 82012c'.replace(' ', ''), 'hex'), Buffer.alloc(300, 0xa5)])
const oneLine = der.toString('base64')
const wrapped = oneLine.replace(/.{64}/g, '$&\n')

describe('base64 bodies', () => {
  it.each([
    ['on one line', oneLine],
    ['on one line with a line feed', `${oneLine}\n`],
    ['wrapped at 64 columns', wrapped],
    ['wrapped with CR LF', wrapped.replaceAll('\n', '\r\n')],
    ['in PEM armour', `-----BEGIN PKCS7-----\n${wrapped}\n-----END PKCS7-----\n`],
  ])('are read %s', (_how, body) => {
    expect(decodeBase64Body(Buffer.from(body))).toEqual(der)
  })

  it('are read as plain DER, which some servers send', () => {
    expect(decodeBase64Body(der)).toEqual(der)
  })

  it('are written on one line', () => {
    expect(encodeBase64Body(der)).toBe(oneLine)
  })

  it.each([
    ['an empty body', '', 'the server sent an empty body where base64 was expected'],
    ['only white space', ' \r\n', 'the body of the server’s response is neither base64 nor DER'],
    ['a page of HTML', '<html>no</html>', 'the body of the server’s response is neither base64 nor DER'],
    [
      'base64 with a lost character',
      oneLine.slice(1),
      'the body of the server’s response is neither base64 nor DER',
    ],
    ['the URL alphabet', 'MI-_', 'the body of the server’s response is neither base64 nor DER'],
    ['padding in the middle', 'MA==MA==', 'the body of the server’s response is neither base64 nor DER'],
  ])('refuses %s', (_what, body, message) => {
    expect(() => decodeBase64Body(Buffer.from(body))).toThrow(
      expect.objectContaining({ code: 'response-invalid', message }),
    )
  })

  it('reads what it writes, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), (bytes) => {
        expect(decodeBase64Body(Buffer.from(encodeBase64Body(bytes)))).toEqual(Buffer.from(bytes))
      }),
    )
  })
})
