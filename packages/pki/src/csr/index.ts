export {
  checkCsr,
  type CsrJudgement,
  type CsrRefusal,
  type CsrRefusalCode,
  csrRefusalCodes,
  judgeCsr,
} from './check.ts'
export { createCsr, type CsrOptions } from './create.ts'
export type { Csr, CsrAttribute, RequestedExtensions } from './csr.ts'
export { maxCsrBytes, parseCsr } from './parse.ts'
export { type CsrField, type CsrFieldDecision, csrFieldDecisions, withField } from './report.ts'
export { encodeWantedAttributes, encodeWantedLinking } from './wanted.ts'
