import { defaultTopicLimits } from '@fleetroot/policy'
import {
  byteSize,
  duration,
  longestTimer,
  metricsHost,
  optionalPort,
  port,
  setting,
} from '@fleetroot/service'
import { z } from 'zod'
import { listenerList, networks } from './listener/listener-setting.ts'
import { maxWorkers } from './workers/count.ts'
import { redisPrefix, redisUrl } from './redis/redis-setting.ts'

/** Schema of a limit: a whole number that is not 0, which would let nobody in. */
function atLeastOne(defaultLimit: number) {
  return z.int().min(1).default(defaultLimit)
}

const notZero: [(bytes: number) => boolean, { error: string }] = [
  (bytes) => bytes > 0,
  { error: 'must be at least 1B' },
]

/** Everything about the broker that its user can choose. */
export const settings = {
  port: setting(port(8883), { env: 'FLEETROOT_BROKER_PORT', help: 'MQTT over TLS; 0 picks a free port' }),
  wssPort: setting(port(8884), {
    env: 'FLEETROOT_BROKER_WSS_PORT',
    help: 'MQTT over secure WebSocket at /mqtt; 0 picks a free port',
  }),
  listeners: setting(listenerList.optional(), {
    help: 'listeners in place of port and wssPort: a list of name, kind (mqtts, wss), port, and if need be host, tlsMode, policy, proxyFrom',
  }),
  proxyFrom: setting(networks.default([]), {
    env: 'FLEETROOT_BROKER_PROXY_FROM',
    help: 'addresses and networks whose connections begin with a PROXY protocol header, version 2',
  }),
  workers: setting(
    z
      .int()
      .min(1)
      .max(maxWorkers, { error: `must be at most ${maxWorkers}` })
      .default(1),
    {
      env: 'FLEETROOT_BROKER_WORKERS',
      help: 'processes that serve; more than 1 needs --redis',
    },
  ),
  metricsPort: setting(port(9465), {
    env: 'FLEETROOT_BROKER_METRICS_PORT',
    help: 'health and metrics on loopback; 0 picks a free port',
  }),
  metricsHost,
  adminPort: setting(optionalPort(), {
    env: 'FLEETROOT_BROKER_ADMIN_PORT',
    help: 'administration for operators over mutual TLS; left out: on loopback only, at metricsPort',
  }),
  adminHost: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_ADMIN_HOST',
    help: 'address to listen on for it; left out: as host',
  }),
  id: setting(z.string().default('broker'), { help: 'device id of the broker itself' }),
  tlsMode: setting(z.enum(['compatible', 'strict']).default('compatible'), {
    env: 'FLEETROOT_TLS_MODE',
    help: 'compatible: TLS 1.2 and 1.3; strict: TLS 1.3 only',
  }),
  policy: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_POLICY',
    help: 'policy file; left out: broker/policy.yaml in the data directory, made on first start',
  }),
  enrollmentUrl: setting(z.url({ protocol: /^https$/ }).optional(), {
    env: 'FLEETROOT_ENROLLMENT_URL',
    help: 'the enrollment server; left out: this machine',
  }),
  enrollmentPort: setting(port(8443), {
    env: 'FLEETROOT_ENROLLMENT_PORT',
    help: 'port of the enrollment server on this machine',
  }),
  trustFile: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_TRUST_FILE',
    help: 'root certificate, PEM; left out: public/root.crt in the data directory',
  }),
  bootstrapTokenFile: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_BOOTSTRAP_TOKEN_FILE',
    help: 'one-time token for the first start; left out: bootstrap/broker.token in the data directory',
  }),
  wait: setting(duration('60s', { atMost: longestTimer }), {
    help: 'how long to wait for the enrollment server when it is needed',
  }),
  revocationStale: setting(z.enum(['fail-open', 'fail-closed']).default('fail-closed'), {
    env: 'FLEETROOT_BROKER_REVOCATION_STALE',
    help: 'when nothing recent is known of revoked certificates. fail-closed: nobody passes; fail-open: by what was known',
  }),
  // Long enough for a restart, an upgrade or a reboot of the enrollment server and for a leader election in front
  // of it; short enough that cutting the broker off from it gains an attacker minutes and not a day, as a CRL's
  // nextUpdate would. The stream is missed, logged and on the dashboard within 15 s, so that people have the rest.
  revocationStaleAfter: setting(
    duration('10m').refine((ms) => ms >= 15_000, {
      error: 'must be at least 15s: the event stream shows a sign of life every 5s, and one may be lost',
    }),
    {
      env: 'FLEETROOT_BROKER_REVOCATION_STALE_AFTER',
      help: 'how long nothing may have been heard about revoked certificates until that is too long',
    },
  ),
  revocationPoll: setting(
    duration('60s', { atMost: longestTimer }).refine((ms) => ms >= 1_000, { error: 'must be at least 1s' }),
    {
      help: 'longest time between looks at the revocation lists, which are the safety net of the event stream',
    },
  ),
  store: setting(z.enum(['disk', 'memory', 'redis']).optional(), {
    env: 'FLEETROOT_BROKER_STORE',
    help: 'disk: what was acknowledged survives whatever happens to the process; memory: nothing does; redis: several brokers share it; left out: redis with --redis, otherwise disk',
  }),
  redis: setting(redisUrl.optional(), {
    env: 'FLEETROOT_BROKER_REDIS',
    help: 'redis://[USER@]HOST:PORT[/DB], or rediss:// for TLS: the store of all brokers that name it',
  }),
  redisPassword: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_REDIS_PASSWORD',
    help: 'password for Redis',
    secret: true,
  }),
  redisCa: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_REDIS_CA',
    help: 'file with the CAs that vouch for Redis, PEM; left out: those of the system',
  }),
  redisCert: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_REDIS_CERT',
    help: 'file with the certificate that the broker shows to Redis, PEM; left out: none',
  }),
  redisKey: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_REDIS_KEY',
    help: 'file with its key, PEM',
  }),
  redisUnencrypted: setting(z.boolean().default(false), {
    env: 'FLEETROOT_BROKER_REDIS_UNENCRYPTED',
    help: 'use redis:// over a network that something else encrypts',
  }),
  redisPrefix: setting(redisPrefix, {
    env: 'FLEETROOT_BROKER_REDIS_PREFIX',
    help: 'what the keys in Redis begin with; brokers with the same one are one',
  }),
  // Longer than any pause of a process that is well; shorter than a client waits for its CONNACK.
  redisNodeTimeout: setting(
    duration('10s', { atMost: longestTimer }).refine((ms) => ms >= 2_000, { error: 'must be at least 2s' }),
    {
      help: 'how long a broker may show no sign of life until the others that share its store take over',
    },
  ),
  // Ten seconds, after which a node that stands still is dead anyway, at 50 MB a second.
  redisLogSize: setting(
    byteSize('512MiB').refine((bytes) => bytes >= 1024 ** 2, { error: 'must be at least 1MiB' }),
    { help: 'what a broker may be behind the others that share its store until they give it up' },
  ),
  ticketSecret: setting(z.string().min(32, { error: 'must have at least 32 characters' }).optional(), {
    env: 'FLEETROOT_BROKER_TICKET_SECRET',
    help: 'the same random text on all nodes: TLS sessions resume on each; left out: on the node that they began on',
    secret: true,
  }),
  storePath: setting(z.string().min(1).optional(), {
    env: 'FLEETROOT_BROKER_STORE_PATH',
    help: 'directory of the store; left out: broker/store/PORT in the data directory',
  }),
  // Ten times what mosquitto and EMQX keep by default: a device that reports every minute is caught up with after a week.
  // Packet identifiers end at 65,535.
  maxQueued: setting(
    atLeastOne(10_000).refine((messages) => messages <= 65_000, { error: 'must be at most 65000' }),
    {
      help: 'messages that wait for one session; beyond it the oldest is dropped',
    },
  ),
  maxQueuedSize: setting(byteSize('16MiB').refine(...notZero), { help: 'the same in bytes' }),
  maxQueuedSizeTotal: setting(byteSize('256MiB').refine(...notZero), {
    help: 'what waits for all sessions together, in memory and on disk',
  }),
  // A long weekend and the week after it; a command that is older does more harm than good.
  maxQueuedAge: setting(duration('7d'), { help: 'how long a message waits' }),
  maxSessions: setting(atLeastOne(100), {
    help: 'stored sessions of one identity, which may use several client ids',
  }),
  // The lifetime of a device certificate: whoever has not come back by then needs a new identity first.
  sessionExpiry: setting(duration('30d'), {
    help: 'how long the session of a client is kept that does not come back',
  }),
  maxRetained: setting(atLeastOne(1_000), { help: 'retained messages of one device' }),
  maxRetainedSize: setting(byteSize('1MiB').refine(...notZero), { help: 'the same in bytes' }),
  maxRetainedSizeTotal: setting(byteSize('256MiB').refine(...notZero), {
    help: 'retained messages of all identities together',
  }),
  maxUnacknowledged: setting(atLeastOne(1_000), {
    help: 'messages sent to one session that it has not acknowledged; the others wait',
  }),
  maxConnectSize: setting(byteSize('8KiB'), { help: 'largest CONNECT packet' }),
  maxPacketSize: setting(byteSize('128KiB'), { help: 'largest packet of any other kind' }),
  maxDenials: setting(z.int().min(1).default(20), {
    help: 'denied publishes and subscriptions after which a client is disconnected',
  }),
  maxTopicLength: setting(z.int().min(1).max(65_535).default(defaultTopicLimits.maxLength), {
    help: 'longest topic or topic filter',
  }),
  // Beyond 100, aedes hangs up.
  maxTopicLevels: setting(z.int().min(1).max(100).default(defaultTopicLimits.maxLevels), {
    help: 'most levels of a topic or topic filter',
  }),
  maxFilters: setting(z.int().min(1).default(100), { help: 'topic filters of one session' }),
  maxInflight: setting(z.int().min(1).max(65_535).default(100), {
    help: 'QoS 2 messages of one client that may wait for their PUBREL',
  }),
  maxKeepalive: setting(duration('1h'), { help: 'longest keep alive of a client' }),
  acceptRate: setting(atLeastOne(1_000), {
    help: 'connections accepted a second, before TLS, of all addresses together',
  }),
  acceptBurst: setting(atLeastOne(4_000), { help: 'the same at once, after a time of quiet' }),
  acceptRatePerAddress: setting(atLeastOne(200), {
    help: 'connections accepted a second of one address; of IPv6: of one /64',
  }),
  acceptBurstPerAddress: setting(atLeastOne(4_000), { help: 'the same at once, after a time of quiet' }),
  maxHandshakes: setting(atLeastOne(2_000), {
    help: 'connections that have not proven who they are, of all addresses together',
  }),
  maxHandshakesPerAddress: setting(atLeastOne(1_000), { help: 'the same of one address' }),
  handshakeTimeout: setting(duration('10s', { atMost: longestTimer }), {
    help: 'time for a client to prove who it is',
  }),
  connectRate: setting(atLeastOne(2), { help: 'connections a second of one identity' }),
  connectBurst: setting(atLeastOne(60), { help: 'the same at once, after a time of quiet' }),
  maxConnections: setting(atLeastOne(100), { help: 'connections of one identity at the same time' }),
  messageRate: setting(atLeastOne(1_000), {
    help: 'PUBLISH, SUBSCRIBE, UNSUBSCRIBE and PINGREQ a second of one identity; beyond it the identity is not read',
  }),
  messageBurst: setting(atLeastOne(5_000), { help: 'the same at once, after a time of quiet' }),
  byteRate: setting(byteSize('4MiB').refine(...notZero), {
    help: 'bytes a second that one identity sends; beyond it the identity is not read',
  }),
  byteBurst: setting(byteSize('8MiB').refine(...notZero), {
    help: 'the same at once, after a time of quiet',
  }),
  filterRate: setting(atLeastOne(20), {
    help: 'topic filters a second that one identity asks for or gives up; beyond it the identity is not read',
  }),
  filterBurst: setting(z.int().min(1).optional(), {
    help: 'the same at once, after a time of quiet; left out: ten times max-filters',
  }),
  maxHeldBack: setting(duration('1m'), {
    help: 'how long an identity may be beyond its rates without a pause before it is disconnected',
  }),
  connectTimeout: setting(duration('10s', { atMost: longestTimer }), {
    help: 'time for a client’s CONNECT after its handshake',
  }),
  drainTimeout: setting(duration('2s', { atMost: longestTimer }), {
    help: 'how long a client may take nothing of what waits for it before it is disconnected',
  }),
  // The whole stop has 10 s: what is left is for messages under way and for the store.
  drainSpread: setting(duration('5s', { atMost: '6s' }), {
    env: 'FLEETROOT_BROKER_DRAIN_SPREAD',
    help: 'how long the sessions of devices take to end at a stop, one after the other; few end faster',
  }),
  maxOutbound: setting(byteSize('4MiB'), {
    help: 'what may wait for a client that does not read before it is disconnected',
  }),
}
