import { createPublicKey, type KeyObject, sign } from 'node:crypto'

/** A DER element of a tag and the parts of its content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x10000
          ? [0x82, length >> 8, length & 0xff]
          : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

/** A CN in an RDN of its own; UTF8String unless told otherwise. */
export function commonName(text: string, tag = 0x0c): Buffer {
  const type = Buffer.from('0603550403', 'hex')
  return der(0x31, der(0x30, type, der(tag, Buffer.from(text))))
}

/**
 * A CSR that no library would make, signed by its key with SHA-256: with these RDNs, attributes and, if it is given, another
 * public key.
 */
export function rawCsr(
  privateKey: KeyObject,
  {
    subject = [],
    attributes = [],
    publicKey = createPublicKey(privateKey),
  }: { subject?: readonly Buffer[]; attributes?: readonly Buffer[]; publicKey?: KeyObject } = {},
): Buffer {
  const info = der(
    0x30,
    Buffer.from('020100', 'hex'),
    der(0x30, ...subject),
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa0, ...attributes),
  )
  return signCsr(privateKey, info)
}

/** A CSR of whatever stands where its CertificationRequestInfo should, signed by this key with SHA-256. */
export function signCsr(privateKey: KeyObject, info: Uint8Array): Buffer {
  const algorithm =
    privateKey.asymmetricKeyType === 'rsa' ? '300d06092a864886f70d01010b0500' : '300a06082a8648ce3d040302'
  const signature = sign('sha256', info, privateKey)
  return der(0x30, info, Buffer.from(algorithm, 'hex'), der(0x03, Buffer.from([0]), signature))
}
