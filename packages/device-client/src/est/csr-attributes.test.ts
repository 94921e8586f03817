import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import { decodeCsrAttributes } from './csr-attributes.ts'

/** The example of RFC 7030 section 4.5.2: challengePassword, ecPublicKey with secp384r1, a MAC address, ecdsa-with-SHA384. */
const example = Buffer.from(
  'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==',
  'base64',
)

describe('csrattrs', () => {
  it('reads the example of RFC 7030', () => {
    expect(decodeCsrAttributes(example)).toEqual([
      { oid: '1.2.840.113549.1.9.7', values: [] },
      { oid: '1.2.840.10045.2.1', values: [Buffer.from('06052b81040022', 'hex')] },
      { oid: '1.2.840.113549.1.9.14', values: [Buffer.from('06072b060101010116', 'hex')] },
      { oid: '1.2.840.10045.4.3.3', values: [] },
    ])
  })

  it('reads an empty list', () => {
    expect(decodeCsrAttributes(Buffer.from('3000', 'hex'))).toEqual([])
  })

  it.each(['', '3001', '30800000', '310006', '3002060', '30030601ff', '30020600', '300030', '30830fffff'])(
    'refuses the bytes %s',
    (hex) => {
      expect(() => decodeCsrAttributes(Buffer.from(hex, 'hex'))).toThrow(
        expect.objectContaining({ code: 'response-invalid' }),
      )
    },
  )

  it('refuses any other bytes with the same error, never with another exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeCsrAttributes(Buffer.concat([Buffer.from([0x30, bytes.length]), bytes]))
        } catch (error) {
          expect(error).toBeInstanceOf(DeviceClientError)
        }
      }),
    )
  })
})
