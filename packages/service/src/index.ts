export { ServiceError, type ServiceErrorCode } from './error.ts'
export { type App, type AppContext, runApp } from './process/run-app.ts'
export { readyLine } from './process/ready-line.ts'
export { type Config, commonSettings, port, type Setting, setting, type Settings } from './config/setting.ts'
export { duration, formatDuration, longestTimer, optionalDuration, parseDuration } from './config/duration.ts'
export { byteSize, parseByteSize } from './config/byte-size.ts'
export { type Loaded, loadConfig } from './config/load.ts'
export { createLogger, type Logger, type LogLevel } from './log/logger.ts'
export { createOperations, type Operations } from './operations/operations.ts'
export { type DataDirectory, makeDirectory, openDataDirectory } from './data/directory.ts'
export { atomicWrite } from './data/atomic-write.ts'
export { type AuditFields, type AuditValue, canonicalJson } from './audit/canonical-json.ts'
export { type AuditHead, type AuditRecord, emptyAuditChain, nextAuditRecord } from './audit/chain.ts'
export {
  type AuditKnowledge,
  type AuditVerdict,
  type AuditVerification,
  startAuditVerification,
  verifyAuditChain,
} from './audit/verify.ts'
export { acquireLock, type FileLock, withLock } from './data/lock.ts'
// The apps' own metrics come from the same copy of the library as the register that serves them.
export { Counter, Gauge, Histogram } from 'prom-client'
