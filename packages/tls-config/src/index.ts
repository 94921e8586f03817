export { TlsConfigError, type TlsConfigErrorCode } from './error.ts'
export { type CertificateFailureCode } from './failure/certificate.ts'
export {
  explainTlsFailure,
  type TlsFailure,
  type TlsFailureCode,
  type TlsFailureContext,
} from './failure/explain.ts'
export { type HandshakeFailureCode } from './failure/handshake.ts'
export { type IdentityFiles, loadIdentity, type TlsIdentity } from './identity/load.ts'
export {
  type ClientTlsSettings,
  clientTlsOptions,
  enrollmentServer,
  type ServerIdentity,
} from './options/client.ts'
export { type KeyAndCertificate, type TlsMode } from './options/protocol.ts'
export { serverTlsOptions, type ServerTlsSettings } from './options/server.ts'
export { type ChannelBinding, channelBinding, type NoChannelBinding } from './peer/channel-binding.ts'
export {
  type NoPeer,
  peerIdentity,
  type PeerIdentity,
  type PeerRefusal,
  type PeerRefusalCode,
  type PeerTrust,
} from './peer/identity.ts'
export { type TrustedIssuer, trustedIssuers } from './peer/issuer.ts'
export { loadTrust, parseTrust } from './trust/anchors.ts'
