/** The few functions of node-forge that the PKCS#12 reader uses; the package brings no types of its own. */
declare module 'node-forge' {
  interface Asn1Node {
    tagClass: number
    type: number
    constructed: boolean
    /** Octets as a binary string, or the children of a constructed element. */
    value: string | Asn1Node[]
  }

  interface BlockCipher {
    update(input: { getBytes(): string }): void
    finish(): boolean
    output: { getBytes(): string }
  }

  const forge: {
    asn1: {
      fromDer(
        bytes: string,
        options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean },
      ): Asn1Node
      toDer(node: Asn1Node): { getBytes(): string }
      derToOid(bytes: string): string
    }
    pki: { pbe: { getCipher(oid: string, parameters: Asn1Node, password: string): BlockCipher } }
    util: { createBuffer(bytes: string): { getBytes(): string } }
  }
  export default forge
  export type { Asn1Node }
}
