import { writeFile } from 'node:fs/promises'
import { temporaryFolder } from '@fleetroot/harness'
import { authorize } from '@fleetroot/policy'
import { createLogger, loadConfig, openDataDirectory } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { openPolicies } from './policies.ts'
import { settings } from './settings.ts'
import { identity } from './testing/bench-engine.ts'

test('every policy file is read with the topic limits of the settings, now and when it changes', async () => {
  using folder = temporaryFolder()
  const own = `${folder.path}/own.yaml`
  const rules = (topic: string): string =>
    `version: 1\nroles: { device: { clientIds: any, publish: ["${topic}/#"] } }\n`
  await writeFile(own, rules('a'))
  const loaded = loadConfig({
    app: 'broker',
    version: '1',
    summary: '',
    settings,
    argv: [
      `--listeners=[{name: lab, kind: mqtts, port: 0, policy: ${own}}]`,
      '--max-topic-length=100',
      '--max-topic-levels=40',
    ],
    env: {},
  })
  if (loaded.kind !== 'config') throw new Error('not asked to print')
  const stop: (() => unknown)[] = []
  const policies = await openPolicies({
    config: loaded.config,
    logger: createLogger({ name: 'broker', level: 'silent' }),
    onStop: (_what, end) => void stop.push(end),
    onHangup: () => undefined,
    data: await openDataDirectory(`${folder.path}/data`),
  })
  const publish = (listener: string | undefined, topic: string): unknown => {
    const verdict = authorize(policies.of(listener), identity('device', 'eve'), 'publish', topic)
    return verdict.allowed || verdict.reason
  }
  const deep = (levels: number): string => Array(levels).fill('a').join('/')
  const judge = (listener: string | undefined): unknown[] =>
    [deep(40), deep(41), 'a'.repeat(101)].map((topic) => publish(listener, topic))
  expect(judge('lab')).toEqual([true, 'topic-too-deep', 'topic-too-long'])
  expect(judge(undefined)).toEqual(['no-rule', 'topic-too-deep', 'topic-too-long'])
  await writeFile(own, rules('b'))
  await policies.reload()
  expect(judge('lab')).toEqual(['no-rule', 'topic-too-deep', 'topic-too-long'])
  for (const end of stop) await end()
})
