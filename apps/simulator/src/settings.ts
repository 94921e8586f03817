import { duration, longestTimer, optionalDuration, port, setting } from '@fleetroot/service'
import * as z from 'zod'

const keyAlgorithms = ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const

// The id ends in a dash and at least four digits and must fit the grammar of device ids: 64 characters.
const prefixError =
  'must start with a letter or digit, then letters, digits, ".", "_" or "-", at most 50 in all'

/** Everything that the simulator lets its user choose, the common settings aside. */
export const settings = {
  devices: setting(z.int().min(1).max(100_000).default(25), { help: 'how many devices' }),
  duration: setting(optionalDuration({ atMost: longestTimer }), {
    help: 'how long the fleet publishes, such as 20s; left out: until Ctrl-C',
  }),
  rate: setting(z.number().min(0.001).max(1_000).default(1), {
    help: 'messages per second of each device',
  }),
  arrivalRate: setting(z.number().min(0.01).max(10_000).default(25), {
    help: 'devices that arrive per second, whatever the servers do (open loop)',
  }),
  concurrency: setting(z.int().min(1).max(1_000).default(32), {
    help: 'enrollments, and connections, that are under way at once',
  }),
  seed: setting(z.int().min(0).default(1), {
    help: 'same seed, same readings and same arrivals',
  }),
  idPrefix: setting(
    z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/, prefixError)
      .default('device'),
    {
      help: 'device ids are PREFIX-0001, PREFIX-0002, …',
    },
  ),
  keyAlgorithm: setting(z.enum(keyAlgorithms).default('P-256'), {
    help: `key that each device makes: ${keyAlgorithms.join(', ')}`,
  }),
  report: setting(z.string().min(1).optional(), { help: 'file for the JSON report' }),
  plain: setting(z.boolean().default(false), { help: 'lines instead of the live view on a terminal' }),
  wait: setting(duration('60s', { atMost: longestTimer }), { help: 'how long to wait for the two servers' }),
  settle: setting(duration('10s', { atMost: longestTimer }), {
    help: 'how long to wait at the end for messages that are under way (3s at most after Ctrl-C)',
  }),
  metricsPort: setting(port(9466), {
    env: 'FLEETROOT_SIMULATOR_METRICS_PORT',
    help: 'health and metrics of the simulator itself',
  }),
  enrollmentUrl: setting(z.url({ protocol: /^https$/ }).optional(), {
    help: 'enrollment server, such as https://localhost:8443; left out: on FLEETROOT_ENROLLMENT_PORT here',
  }),
  enrollmentPort: setting(port(8443), { env: 'FLEETROOT_ENROLLMENT_PORT', help: 'its port on this machine' }),
  enrollmentMetricsPort: setting(port(9464), {
    env: 'FLEETROOT_ENROLLMENT_METRICS_PORT',
    help: 'where it says that it is ready',
  }),
  brokerUrl: setting(z.url({ protocol: /^(mqtts|wss)$/ }).optional(), {
    help: 'broker, such as mqtts://localhost:8883; left out: on FLEETROOT_BROKER_PORT here',
  }),
  brokerPort: setting(port(8883), { env: 'FLEETROOT_BROKER_PORT', help: 'its port on this machine' }),
  brokerMetricsPort: setting(port(9465), {
    env: 'FLEETROOT_BROKER_METRICS_PORT',
    help: 'where it says that it is ready',
  }),
}
