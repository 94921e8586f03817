import { deviceIdPattern, isTrustDomain, keyAlgorithms } from '@fleetroot/pki'
import { duration, metricsHost, parseDuration, port, setting } from '@fleetroot/service'
import { z } from 'zod'
import { isServerName } from './names.ts'
import { manufacturerSection } from './manufacturers.ts'
import { profileSection } from './profiles.ts'

const serverName = z.string().refine(isServerName, {
  error: ({ input }) =>
    `${JSON.stringify(input)} must be a host name such as ca.example, without wildcards, or an IP address`,
})
const names = (defaults: string[]) => z.array(serverName).min(1).default(defaults)
const localNames = ['localhost', '127.0.0.1', '::1']

/** Everything about the enrollment server that its user can choose. */
export const settings = {
  port: setting(port(8443), {
    env: 'FLEETROOT_ENROLLMENT_PORT',
    help: 'EST and REST over HTTPS; 0 picks a free port',
  }),
  httpPort: setting(port(8080), {
    env: 'FLEETROOT_ENROLLMENT_HTTP_PORT',
    help: 'CRL, OCSP and CA certificates over plain HTTP; 0 picks a free port',
  }),
  metricsPort: setting(port(9464), {
    env: 'FLEETROOT_ENROLLMENT_METRICS_PORT',
    help: 'health and metrics on loopback; 0 picks a free port',
  }),
  metricsHost,
  serverNames: setting(names(localNames), {
    env: 'FLEETROOT_ENROLLMENT_SERVER_NAMES',
    help: 'host names and addresses in the server’s own certificate, as devices connect to it',
  }),
  brokerNames: setting(names(localNames), {
    env: 'FLEETROOT_BROKER_NAMES',
    help: 'host names and addresses that the broker’s certificate is for',
  }),
  trustDomain: setting(
    z
      .string()
      .refine(isTrustDomain, { error: 'must be 1 to 255 lower-case letters, digits, ".", "_" or "-"' })
      .default('fleetroot.local'),
    {
      env: 'FLEETROOT_TRUST_DOMAIN',
      help: 'the name in every SPIFFE URI; keep it for the life of the fleet',
    },
  ),
  publicUrl: setting(z.url({ protocol: /^http$/, error: 'must be an http URL' }).optional(), {
    env: 'FLEETROOT_ENROLLMENT_PUBLIC_URL',
    help: 'plain HTTP address of this server, as certificates name it; default: http, first server name, port',
  }),
  caKeyAlgorithm: setting(z.enum(keyAlgorithms).default('P-256'), {
    env: 'FLEETROOT_CA_KEY_ALGORITHM',
    help: `key of a CA that is made, on first start and by rotation: ${keyAlgorithms.join(', ')}`,
  }),
  caIntroduction: setting(span('10m', '0s'), {
    env: 'FLEETROOT_CA_INTRODUCTION',
    help: 'how long a new CA is trusted before it issues, unless its request says otherwise',
  }),
  caPassphrase: setting(z.string().min(8, { error: 'must have at least 8 characters' }).optional(), {
    env: 'FLEETROOT_CA_PASSPHRASE',
    help: 'opens the CA keys; left out: ca/passphrase in the data directory',
    secret: true,
  }),
  caPassphraseFile: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_CA_PASSPHRASE_FILE',
    help: 'file whose first line is that passphrase, in place of the variable',
  }),
  deviceLifetime: setting(lifetime('30d'), {
    env: 'FLEETROOT_DEVICE_LIFETIME',
    help: 'validity of device certificates',
  }),
  renewalGrace: setting(span('0s', '0s'), {
    env: 'FLEETROOT_RENEWAL_GRACE',
    help: 'how long after it expired a device certificate may still renew itself over EST; 0s: not at all',
  }),
  serviceLifetime: setting(lifetime('30d'), {
    env: 'FLEETROOT_SERVICE_LIFETIME',
    help: 'validity of service certificates, this server’s own included',
  }),
  operatorLifetime: setting(lifetime('24h'), {
    env: 'FLEETROOT_OPERATOR_LIFETIME',
    help: 'validity of the operator certificate',
  }),
  authorizationUrl: setting(z.url({ protocol: /^https$/, error: 'must be an https URL' }).optional(), {
    env: 'FLEETROOT_AUTHORIZATION_URL',
    help: 'https address that is asked before each certificate is issued; left out: nobody is',
  }),
  authorizationSecretFile: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_AUTHORIZATION_SECRET_FILE',
    help: 'file with the secret that these questions are signed with: whsec_ and base64; one a line',
  }),
  authorizationTrustFile: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_AUTHORIZATION_TRUST_FILE',
    help: 'CA certificates, PEM, that its certificate must chain to; left out: those that Node trusts',
  }),
  profiles: setting(profileSection, {
    help: 'more profiles to register devices for, by name; write them in the file (docs/enrollment.md)',
  }),
  sandbox: setting(
    z
      .string()
      .regex(deviceIdPattern, {
        error:
          'must be a device id: 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or a digit',
      })
      .optional(),
    {
      help: 'a device to register and to print a one-time token for, with the commands that enroll it; on loopback only',
    },
  ),
  manufacturers: setting(manufacturerSection, {
    help: 'whose certificates from the factory (IDevID) enroll devices, by name; write them in the file (docs/enrollment.md)',
  }),
  approvals: setting(z.boolean().default(false), {
    env: 'FLEETROOT_APPROVALS',
    help: 'a device that is not in the inventory and has no credential may ask, and an operator approves or denies',
  }),
  approvalLifetime: setting(span('7d', '1m'), {
    env: 'FLEETROOT_APPROVAL_LIFETIME',
    help: 'how long a request waits for an operator, an approved one for its device, and a denied one stays denied',
  }),
  approvalRetry: setting(span('1m', '1s'), {
    env: 'FLEETROOT_APPROVAL_RETRY',
    help: 'when a device that waits for an operator is told to ask again',
  }),
  serverKeygen: setting(z.boolean().default(false), {
    env: 'FLEETROOT_SERVER_KEYGEN',
    help: 'EST serverkeygen: this server makes the keys of devices that cannot',
  }),
  tokenLifetime: setting(lifetime('24h', '1m'), {
    env: 'FLEETROOT_TOKEN_LIFETIME',
    help: 'how long a one-time token can be used, unless its request says otherwise',
  }),
  crlInterval: setting(span('1h', '1s'), {
    env: 'FLEETROOT_CRL_INTERVAL',
    help: 'how often a CRL is made anew when nothing changes',
  }),
  crlLifetime: setting(span('24h', '1m'), {
    env: 'FLEETROOT_CRL_LIFETIME',
    help: 'how long a CRL may be used when no newer one can be had; longer than the interval',
  }),
  deltaCrlFrom: setting(z.int().min(1).default(10_000), {
    env: 'FLEETROOT_DELTA_CRL_FROM',
    help: 'entries of a CRL from which on there is a delta to it',
  }),
  ocspLifetime: setting(span('10m', '1s'), {
    env: 'FLEETROOT_OCSP_LIFETIME',
    help: 'how long an OCSP response may be used, and kept by caches',
  }),
  eventRetention: setting(span('7d', '1m'), {
    env: 'FLEETROOT_EVENT_RETENTION',
    help: 'how long events are kept for subscribers that were away; at most a million are',
  }),
  rateLimit: setting(z.int().min(1).default(60_000), {
    env: 'FLEETROOT_RATE_LIMIT',
    help: 'requests a minute from one client address',
  }),
  failedTokenLimit: setting(z.int().min(1).default(120), {
    env: 'FLEETROOT_FAILED_TOKEN_LIMIT',
    help: 'invalid tokens, and refused manufacturer certificates, a minute from one client address; then no more of them are looked at',
  }),
}

/** Milliseconds, at least as many as `least` says, at most a year. */
function span(defaultText: string, least: string) {
  return duration(defaultText).refine((ms) => ms >= parseDuration(least) && ms <= parseDuration('365d'), {
    error: `must be from ${least} to 365d`,
  })
}

/**
 * Milliseconds, of a certificate or a token: at most ten years. Certificates may live no longer than a test of
 * their renewal takes.
 */
function lifetime(defaultText: string, least: '10s' | '1m' = '10s') {
  const year = 365 * 24 * 60 * 60 * 1000
  return duration(defaultText).refine((ms) => ms >= parseDuration(least) && ms <= 10 * year, {
    error: `must be from ${least} to 3650d`,
  })
}
