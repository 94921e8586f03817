import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromPem, toPem } from './pem.ts'
import { refusalOf } from './testing/refusal.ts'

describe('PEM', () => {
  it('is written with 64 columns and a newline at the end', () => {
    const lines = toPem('CERTIFICATE', Buffer.alloc(100, 1)).split('\n')
    expect(lines.map((line) => line.length)).toEqual([27, 64, 64, 8, 25, 0])
  })

  it('gives back what was armoured, in its order', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1 }), (blobs) => {
        const text = blobs.map((blob) => toPem('CERTIFICATE', blob)).join('')
        const expected = blobs.map((blob) => ({ label: 'CERTIFICATE', der: Buffer.from(blob) }))
        expect(fromPem(text)).toEqual(expected)
      }),
    )
  })

  it('is read with CRLF, other line widths, and text around the blocks', () => {
    const text = 'subject=x\r\n-----BEGIN PKCS7-----\r\nAQ\r\nID\r\n-----END PKCS7-----\r\ntrailer'
    expect(fromPem(text)).toEqual([{ label: 'PKCS7', der: Buffer.of(1, 2, 3) }])
  })

  it.each([
    ['', 'PEM: no "-----BEGIN …-----" line found'],
    ['AQID', 'PEM: no "-----BEGIN …-----" line found'],
    ['-----BEGIN A-----\nAQID\n', 'PEM: the block A has no END line; the text was cut off'],
    ['-----BEGIN A-----\nAQID\n-----END B-----', 'PEM: END B without its BEGIN line'],
    ['-----END A-----', 'PEM: END A without its BEGIN line'],
    ['-----BEGIN A-----\nAQID\n-----BEGIN B-----', 'PEM: BEGIN B inside the block A'],
    ['-----BEGIN A-----\n-----END A-----', 'PEM: A is not base64'],
    ['-----BEGIN A-----\nAQ!D\n-----END A-----', 'PEM: A is not base64'],
    ['-----BEGIN A-----\nAQI\n-----END A-----', 'PEM: A is not base64'],
    ['-----BEGIN A-----\nAR==\n-----END A-----', 'PEM: A is not base64'],
    ['-----BEGIN A-----\nA_-D\n-----END A-----', 'PEM: A is not base64'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----',
      'PEM: RSA PRIVATE KEY uses the old OpenSSL encryption; convert it with "openssl pkcs8 -topk8"',
    ],
    ['x'.repeat(1024 * 1024 + 1), 'PEM: larger than 1048576 characters'],
  ])('is refused when it is wrong: %#', (text, message) => {
    expect(refusalOf(() => fromPem(text))).toEqual({ code: 'pem-invalid', message })
  })
})
