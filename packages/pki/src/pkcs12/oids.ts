import { pbes2Oids } from '../key/index.ts'

/** Object identifiers of PKCS#12 (RFC 7292) and PKCS#7 (RFC 2315). */
export const pkcsOids = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

/** Hashes of the MAC (RFC 7292, 4: DigestInfo) by object identifier. */
export const macHashOids = {
  '1.3.14.3.2.26': 'sha1',
  [pkcsOids.sha256]: 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
} as const

/** Pseudo-random functions of PBKDF2 (RFC 8018, B.1) by object identifier. */
export const prfHashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  [pbes2Oids.hmacWithSha256]: 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  [pbes2Oids.hmacWithSha512]: 'sha512',
}

/** Ciphers of PBES2 (RFC 8018, B.2) by object identifier: the name in node:crypto and the key's octets. */
export const pbes2Ciphers: Readonly<Record<string, { name: string; keyLength: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyLength: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyLength: 24 },
  [pbes2Oids.aes256Cbc]: { name: 'aes-256-cbc', keyLength: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyLength: 24 },
}
