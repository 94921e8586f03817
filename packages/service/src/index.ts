export { ServiceError, type ServiceErrorCode } from './error.ts'
export { type AppContext, runApp } from './process/run-app.ts'
export { type Config, metricsHost, optionalPort, port, setting } from './config/setting.ts'
export { duration, formatDuration, longestTimer, optionalDuration, parseDuration } from './config/duration.ts'
export { suggestion } from './config/spelling.ts'
export { byteSize } from './config/byte-size.ts'
export { loadConfig } from './config/load.ts'
export { createLogger, type Logger } from './log/logger.ts'
export { type AdminListener, createAdminListener } from './operations/admin-listener.ts'
export {
  type AdminAnswer,
  type AdminRequest,
  type AdminRoute,
  type CallerRefusal,
} from './operations/admin-route.ts'
export { createOperations, type Operations } from './operations/operations.ts'
export { createReadiness, type Readiness } from './operations/readiness.ts'
export { createRegister, metricsOf, type ProcessMetrics, withoutGauges } from './operations/register.ts'
export { type DataDirectory, makeDirectory, openDataDirectory } from './data/directory.ts'
export { atomicWrite } from './data/atomic-write.ts'
export {
  type AuditFields,
  type AuditHead,
  type AuditKnowledge,
  type AuditRecord,
  type AuditValue,
  type AuditVerdict,
  type AuditVerification,
  canonicalJson,
  emptyAuditChain,
  nextAuditRecord,
  startAuditVerification,
  verifyAuditChain,
} from './audit/index.ts'
// The apps' own metrics come from the same copy of the library as the register that serves them.
export { Counter, Gauge, Histogram } from 'prom-client'
