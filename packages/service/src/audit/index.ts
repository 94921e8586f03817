// An entry point of its own: threads that write an audit need nothing else of this package, and not the libraries behind it,
// which cost each of them 10 MB and a quarter of a second.
export { type AuditFields, type AuditValue, canonicalJson } from './canonical-json.ts'
export { type AuditHead, type AuditRecord, emptyAuditChain, nextAuditRecord } from './chain.ts'
export {
  type AuditKnowledge,
  type AuditVerdict,
  type AuditVerification,
  startAuditVerification,
  verifyAuditChain,
} from './verify.ts'
