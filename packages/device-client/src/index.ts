export {
  type AuthorityKind,
  type AuthorityState,
  type CaAuthority,
  type CaBundle,
  parseCaBundle,
} from './authorities/ca-bundle.ts'
export { type CaBundleOptions, fetchCaBundle } from './authorities/fetch.ts'
export { enrollDevice, type Enrollment, type EnrollmentOptions } from './enrollment/enroll-device.ts'
export { renewalDue } from './enrollment/lifetime.ts'
export { DeviceClientError, type DeviceClientErrorCode } from './error.ts'
export {
  createEstClient,
  type EstClient,
  type EstClientOptions,
  type EstCredential,
  type EstIdentity,
  type LinkedCsr,
} from './est/client.ts'
export type { CsrAttribute } from './est/csr-attributes.ts'
export { buildChain, type ChainMaterial, servingChain } from './identity/chain.ts'
export type { PendingRequest, RequestSubject } from './identity/pending-request.ts'
export { type IdentityStore, openIdentityStore } from './identity/store.ts'
export type { NewIdentity, StoredIdentity } from './identity/stored-identity.ts'
export { type Command, type CommandHandler, type CommandService, serveCommands } from './mqtt/commands.ts'
export { connectMqtt } from './mqtt/connect.ts'
export type { DeviceConnection, DeviceConnectionEvents } from './mqtt/connection.ts'
export type { OnlineInfo } from './mqtt/online-info.ts'
export type { Message, QoS, Will } from './mqtt/message.ts'
export type { MqttOptions, PublishOptions } from './mqtt/options.ts'
export type { OutboxLimits } from './mqtt/outbox.ts'
export { renewIdentity, type Probe, type RenewalOptions } from './renewal/renew-identity.ts'
export {
  createRenewals,
  type KeptIdentity,
  type Renewal,
  type Renewals,
  type RenewalsOptions,
} from './renewal/renewals.ts'
export type { Clock } from './renewal/timetable.ts'
export { type Backoff, type BackoffOptions, fullJitterBackoff } from './retry/backoff.ts'
export { retrying, type RetryNotice, type RetryOptions } from './retry/retrying.ts'
export { type RetryVerdict, retryVerdict } from './retry/verdict.ts'
export { openTrustAnchors, type TrustAnchorsOptions } from './trust/anchor-file.ts'
export { type AnchorChange, type Trust, type TrustAnchors, trustPem } from './trust/anchors.ts'
