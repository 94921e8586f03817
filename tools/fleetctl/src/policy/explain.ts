import { existsSync } from 'node:fs'
import {
  explain,
  explainClientId,
  type Explanation,
  parsePolicy,
  type Policy,
  readDefaultPolicy,
  type Subject,
} from '@fleetroot/policy'
import type { Run } from '../command/command.ts'
import type { Input } from '../command/input.ts'
import { deviceIdOf, serialOf } from '../command/values.ts'
import { exitStatus, usageError } from '../error.ts'
import { readPolicy } from './file.ts'

export const explainPolicy: Run = async (input, { dataFile }) => {
  const [action = '', topic = ''] = input.args
  const subject = subjectOf(input)
  const policy = await choosePolicy(input.text('policy'), dataFile('broker/policy.yaml'))
  const told = judge(policy, subject, action, topic, input.on('retain'))
  const { allowed, rule, reason, sentence, asked } = told
  return {
    kind: 'text',
    json: {
      allowed,
      action: told.action,
      topic,
      role: subject.role,
      id: subject.id,
      policy: policy.name,
      rule: rule ?? null,
      reason: reason ?? null,
      explanation: sentence,
      asked,
    },
    text: [
      `${allowed ? 'allowed' : 'denied'}: ${subject.role} ${subject.id} ${told.action} ${topic}`,
      `  ${sentence}`,
      ...(allowed ? [] : asked.map(({ text, line }) => `    ${policy.name}:${line}  ${text}`)),
    ].join('\n'),
    status: allowed ? exitStatus.done : exitStatus.failed,
  }
}

/** What the broker asks: of a retained message it asks whether it may be published, then whether it may be retained. */
function judge(
  policy: Policy,
  subject: Subject,
  action: string,
  topic: string,
  retain: boolean,
): Explanation & { action: string } {
  if (retain && action !== 'publish') throw usageError('--retain goes with publish')
  if (action === 'connect') return { ...explainClientId(policy, subject, topic), action }
  if (action === 'subscribe' || action === 'receive') {
    return { ...explain(policy, subject, action, topic), action }
  }
  const published = explain(policy, subject, 'publish', topic)
  if (!published.allowed || !retain) return { ...published, action: 'publish' }
  return { ...explain(policy, subject, 'retain', topic), action: 'retain' }
}

function subjectOf(input: Input): Subject {
  const role = input.text('role')
  if (role === undefined)
    throw usageError('--role is missing: say as whom, such as --role device --id pump-7')
  if (input.text('id') === undefined) throw usageError('--id is missing: the device id of the client')
  const serial = input.text('serial')
  return {
    role,
    id: deviceIdOf(input.text('id'), '--id'),
    o: input.text('o'),
    ou: input.text('ou'),
    serial: serial === undefined ? undefined : serialOf(serial, '--serial'),
  }
}

async function choosePolicy(chosen: string | undefined, ownFile: string): Promise<Policy> {
  if (chosen !== undefined) return readPolicy(chosen)
  if (existsSync(ownFile)) return readPolicy(ownFile)
  // What the broker writes when it starts for the first time.
  return parsePolicy(readDefaultPolicy(), 'default-policy.yaml')
}
