import { rememberOids } from '../der/index.ts'

/** The identifiers of OCSP (RFC 6960 section 4). */
export const ocspOids = {
  basic: '1.3.6.1.5.5.7.48.1.1',
  nonce: '1.3.6.1.5.5.7.48.1.2',
} as const
rememberOids(Object.values(ocspOids))
