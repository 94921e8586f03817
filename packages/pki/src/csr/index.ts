export { checkCsr, type CsrRefusal, type CsrRefusalCode, csrRefusalCodes } from './check.ts'
export { createCsr, type CsrOptions } from './create.ts'
export type { Csr, CsrAttribute, RequestedExtensions } from './csr.ts'
export { maxCsrBytes, parseCsr } from './parse.ts'
