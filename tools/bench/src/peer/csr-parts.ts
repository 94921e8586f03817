/** The DER in a PEM text with one block. */
export function fromPem(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
}

/** The three parts of a well-formed CSR with a P-256 key that a signer needs, found and not checked. */
export function readCsrParts(csr: Buffer): { info: Buffer; publicKey: Buffer; signature: Buffer } {
  const [from] = contents(csr, 0)
  const [, infoEnd] = contents(csr, from)
  const info = csr.subarray(from, infoEnd)
  const [, algorithmEnd] = contents(csr, infoEnd)
  const [signature] = contents(csr, algorithmEnd)
  // version, then subject, then the SubjectPublicKeyInfo
  const [version] = contents(info, 0)
  const [, subject] = contents(info, version)
  const [, key] = contents(info, subject)
  const [, keyEnd] = contents(info, key)
  return { info, publicKey: info.subarray(key, keyEnd), signature: csr.subarray(signature + 1) }
}

/** Where the contents of the element at `offset` begin and end. */
function contents(der: Buffer, offset: number): [start: number, end: number] {
  const first = der.readUInt8(offset + 1)
  const more = first < 0x80 ? 0 : first - 0x80
  const start = offset + 2 + more
  return [start, start + (more === 0 ? first : der.readUIntBE(offset + 2, more))]
}
