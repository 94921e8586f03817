import { createRequire } from 'node:module'

/** An ASN.1 element as node-forge has it: octets as a binary string, or the children of a constructed one. */
export interface Asn1Node {
  readonly tagClass: number
  readonly type: number
  readonly constructed: boolean
  readonly value: string | readonly Asn1Node[]
}

interface BlockCipher {
  update(input: { getBytes(): string }): void
  finish(): boolean
  output: { getBytes(): string }
}

/** The few functions of node-forge that the PKCS#12 reader uses; the package brings no types of its own. */
interface Forge {
  readonly asn1: {
    fromDer(
      bytes: string,
      options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean },
    ): Asn1Node
    toDer(node: Asn1Node): { getBytes(): string }
    derToOid(bytes: string): string
  }
  readonly pki: {
    readonly pbe: { getCipher(oid: string, parameters: Asn1Node, password: string): BlockCipher }
  }
  readonly util: { createBuffer(bytes: string): { getBytes(): string } }
}

const require = createRequire(import.meta.url)
let loaded: Forge | undefined

/** node-forge, loaded when the first PKCS#12 file is read: most programs never read one. */
export function forge(): Forge {
  return (loaded ??= require('node-forge') as Forge)
}
