import { type Action, authorize, parsePolicy, readDefaultPolicy } from '@fleetroot/policy'
import { machine } from './measure/machine.ts'
import { report } from './measure/report.ts'
import { median } from './measure/statistics.ts'

// One decision by the default policy, for what a device and a service do all day, and for what is denied last.

const rounds = 9
const perRound = 500_000
const policy = parsePolicy(readDefaultPolicy(), 'default-policy.yaml')
const values = { o: undefined, ou: undefined, serial: '01' }
const device = { id: 'pump-17', role: 'device', ...values }
const service = { id: 'backend', role: 'service', ...values }
const decisions: readonly [string, typeof device, Action, string][] = [
  ['a device publishes telemetry', device, 'publish', 'devices/pump-17/telemetry/temperature'],
  ['a device publishes the result of a command', device, 'publish', 'devices/pump-17/commands/42/result'],
  ['a device subscribes to its commands', device, 'subscribe', 'devices/pump-17/commands/#'],
  ['a device is refused what is another’s', device, 'publish', 'devices/pump-18/telemetry/temperature'],
  ['a service receives telemetry', service, 'receive', 'devices/pump-17/telemetry/temperature'],
  ['a topic of 32 levels is refused', device, 'publish', Array(32).fill('level').join('/')],
]

console.log(`authorize: ${machine()}`)
for (const [what, subject, action, topic] of decisions) {
  const samples: number[] = []
  let allowed = 0
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now()
    for (let n = 0; n < perRound; n++) if (authorize(policy, subject, action, topic).allowed) allowed += 1
    if (round > 0) samples.push(((performance.now() - started) * 1000) / perRound)
  }
  if (allowed % perRound !== 0) throw new Error(`${what}: not the same answer each time`)
  report({ what, ours: median(samples), unit: 'µs', budget: { of: 'value', atMost: 2 } })
}
