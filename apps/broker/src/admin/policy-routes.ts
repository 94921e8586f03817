import type { AdminRoute, Logger } from '@fleetroot/service'
import { z } from 'zod'
import type { Policies, PolicyInForce } from '../policies.ts'
import { explain, explainClientId, type Explanation, type Policy, policyRoles } from '@fleetroot/policy'
import { invalidRequest, problem } from './problem.ts'

const text = z.string().min(1)

const subject = {
  role: z.enum(policyRoles),
  id: text,
  o: text.optional(),
  ou: text.optional(),
  serial: text.default('00'),
  listener: text.optional(),
}

const question = z.discriminatedUnion('action', [
  z.strictObject({ ...subject, action: z.literal('connect'), clientId: z.string() }),
  z.strictObject({
    ...subject,
    action: z.enum(['publish', 'retain', 'subscribe', 'receive']),
    topic: z.string(),
  }),
])

/**
 * The policy in force: show, explain, reload.
 *
 *     GET  /v1/policy            { inForce }
 *     POST /v1/policy/explain    { allowed, rule?, reason?, sentence, asked }
 *     POST /v1/policy/reload     { inForce }; 422 where a file has a mistake and the policy in force stays
 */
export function policyRoutes(policies: () => Policies | undefined, log: Logger): AdminRoute[] {
  const waiting = problem(503, 'not-serving', 'the broker has not started yet')
  return [
    {
      method: 'GET',
      path: '/v1/policy',
      answer: () => {
        const known = policies()
        return known === undefined ? waiting : { body: { inForce: known.inForce.map(show) } }
      },
    },
    {
      method: 'POST',
      path: '/v1/policy/explain',
      answer: ({ body }) => {
        const known = policies()
        const asked = question.safeParse(body)
        if (!asked.success) return invalidRequest(asked.error)
        return known === undefined ? waiting : { body: decide(known.of(asked.data.listener), asked.data) }
      },
    },
    {
      method: 'POST',
      path: '/v1/policy/reload',
      answer: async ({ caller }) => {
        const known = policies()
        if (known === undefined) return waiting
        await known.reload()
        log.warn({ caller }, 'policy files read again for an operator')
        const faults = known.inForce.flatMap(({ fault }) => fault ?? [])
        if (faults.length > 0) return problem(422, 'policy-invalid', faults.join('; '))
        return { body: { inForce: known.inForce.map(show) } }
      },
    },
  ]
}

/** The decision as the gates would make it, and why. */
function decide(policy: Policy, asked: z.output<typeof question>): Explanation {
  const { role, id, o, ou, serial } = asked
  const who = { role, id, o, ou, serial }
  return asked.action === 'connect'
    ? explainClientId(policy, who, asked.clientId)
    : explain(policy, who, asked.action, asked.topic)
}

function show({ listener, path, policy, since, fault }: PolicyInForce): object {
  const roles = [...policy.roles].map(([role, { clientIds, publish, retain, subscribe }]) => [
    role,
    {
      clientIds: clientIds.map(({ text }) => text),
      publish: publish.map((rule) => rule.text),
      retain: retain.map((rule) => rule.text),
      subscribe: subscribe.map((rule) => rule.text),
    },
  ])
  return { listener, path, since: new Date(since).toISOString(), fault, roles: Object.fromEntries(roles) }
}
