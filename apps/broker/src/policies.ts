import { existsSync } from 'node:fs'
import type { AppContext, DataDirectory } from '@fleetroot/service'
import { openPolicy, type PolicyFile } from './policy/policy-file.ts'
import { type Policy, readDefaultPolicy } from '@fleetroot/policy'
import type { settings } from './settings.ts'

/** A policy in force, and what is wrong with the file that should have replaced it, if anything. */
export interface PolicyInForce {
  /** The listener that it is for; undefined: for all that have none of their own. */
  readonly listener: string | undefined
  readonly path: string
  policy: Policy
  /** Milliseconds since 1970. */
  since: number
  fault: string | undefined
}

/** The policy files of a broker, watched. */
export interface Policies {
  readonly inForce: readonly PolicyInForce[]
  /** The policy for who comes through this listener. */
  readonly of: (listener: string | undefined) => Policy
  /** Hears of each policy that comes into force from now on. */
  readonly onChange: (listen: (policy: Policy, listener: string | undefined) => void) => void
  /** Reads all files again, now. */
  readonly reload: () => Promise<void>
}

/** What `openPolicies` needs from the process around it. */
export type PoliciesContext = Pick<AppContext<typeof settings>, 'logger' | 'onStop' | 'onHangup'> & {
  readonly config: Pick<
    AppContext<typeof settings>['config'],
    'policy' | 'listeners' | 'maxTopicLength' | 'maxTopicLevels'
  >
  readonly data: DataDirectory
}

/** Opens the broker's policy file, and those of listeners that have their own. Throws as `openPolicy` does. */
export async function openPolicies({
  config,
  logger,
  onStop,
  onHangup,
  data,
}: PoliciesContext): Promise<Policies> {
  const inForce: PolicyInForce[] = []
  const files: PolicyFile[] = []
  let tell: (policy: Policy, listener: string | undefined) => void = () => undefined

  async function open(path: string, listener: string | undefined): Promise<void> {
    const file = await openPolicy(path, {
      topicLimits: { maxLength: config.maxTopicLength, maxLevels: config.maxTopicLevels },
      onPolicy: (policy) => {
        Object.assign(entry, { policy, since: Date.now(), fault: undefined })
        tell(policy, listener)
        logger.info({ listener }, 'the new policy is in force')
      },
      onError: (err) => {
        entry.fault = (err as Error).message
        logger.error({ err, listener }, 'the policy in force stays')
      },
    })
    const entry: PolicyInForce = { listener, path, policy: file.policy, since: Date.now(), fault: undefined }
    inForce.push(entry)
    files.push(file)
    onStop('policy', file.close)
  }

  await open(await policyPath(config.policy, data), undefined)
  for (const { name, policy } of config.listeners ?? []) if (policy !== undefined) await open(policy, name)
  const reload = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.check()))
  }
  onHangup(reload)
  const own = (listener: string | undefined): PolicyInForce | undefined =>
    inForce.find((entry) => entry.listener === listener)
  return {
    inForce,
    of: (listener) => (own(listener) ?? inForce[0]!).policy,
    onChange: (listen) => void (tell = listen),
    reload,
  }
}

/** The file that was asked for, or the one in the data directory, which is made when it is not there. */
async function policyPath(chosen: string | undefined, data: DataDirectory): Promise<string> {
  if (chosen !== undefined) return chosen
  return data.locked('broker', async () => {
    const path = data.file('broker/policy.yaml')
    if (!existsSync(path)) await data.write('broker/policy.yaml', readDefaultPolicy())
    return path
  })
}
