import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { isFree, temporaryFolder } from '@fleetroot/harness'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Environment, ownEnvironment, portVariables } from './environment.ts'

// The main job as a reader of the README starts it: one command of the task runner, three processes.

const root = join(import.meta.dirname, '../../..')
const folder = temporaryFolder()
const running = new Set<number>()

interface Job {
  readonly output: () => string
  /** Resolves when the output matches; rejects with the output if the job ends before. */
  until(pattern: RegExp): Promise<void>
  /** What a terminal does on Ctrl-C: SIGINT to the whole process group. */
  interrupt(): void
  readonly exited: Promise<number | null>
}

function simulatorServe(flags: string[], env: Environment): Job {
  const child = spawn('npx', ['nx', 'run', 'simulator:serve', ...flags], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const group = child.pid ?? 0
  running.add(group)
  let output = ''
  let look = (): void => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      look()
    })
  }
  const exited = once(child, 'close').then(([status]) => {
    running.delete(group)
    look()
    return status as number | null
  })
  return {
    output: () => output,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (pattern.test(output)) resolve()
          else if (!running.has(group)) reject(new Error(`ended without ${String(pattern)}:\n${output}`))
        }
        look()
      }),
    interrupt: () => process.kill(-group, 'SIGINT'),
    exited,
  }
}

/** Resolves when nothing listens on a port of `env` any more, which is so when its three processes are gone. */
async function expectPortsFree(env: Environment): Promise<void> {
  for (const name of portVariables) {
    await expect.poll(() => isFree(Number(env[name])), { message: name }).toBe(true)
  }
}

const report = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>

let first: Environment
let second: Environment

beforeAll(async () => {
  first = await ownEnvironment(join(folder.path, 'first'))
  second = await ownEnvironment(join(folder.path, 'second'))
})

afterAll(() => {
  for (const group of running) process.kill(-group, 'SIGKILL')
  folder[Symbol.dispose]()
})

describe('npx nx run simulator:serve', () => {
  test('ends by itself with status 0, and a second run on other ports works beside it', async () => {
    const file = (name: string): string => join(folder.path, `${name}.json`)
    const flags = (name: string): string[] => ['--devices=4', '--seed=1', '--plain', `--report=${file(name)}`]
    const long = simulatorServe([...flags('long'), '--duration=10s'], first)
    await long.until(/4 connected over TLSv1\.3/)
    const short = simulatorServe([...flags('short'), '--duration=1s'], second)
    expect(await short.exited, short.output()).toBe(0)
    expect(await long.exited, long.output()).toBe(0)
    for (const name of ['long', 'short']) {
      expect(report(file(name))).toMatchObject({ ok: true, devices: 4, connected: 4, lost: 0, errors: [] })
    }
    await expectPortsFree(first)
    await expectPortsFree(second)
  })

  test('two runs share one data directory', async () => {
    const shared = { ...second, FLEETROOT_DATA: first['FLEETROOT_DATA'] ?? '' }
    const flags = ['--devices=4', '--duration=3s', '--plain']
    const runs = [simulatorServe(flags, first), simulatorServe(flags, shared)]
    expect(
      await Promise.all(runs.map(({ exited }) => exited)),
      runs.map((run) => run.output()).join(),
    ).toEqual([0, 0])
    for (const run of runs) expect(run.output()).toMatch(/0 lost, 0 duplicated/)
  })

  test('runs until Ctrl-C, and then everything stops and the report is complete', async () => {
    const file = join(folder.path, 'interrupted.json')
    const job = simulatorServe(['--devices=4', '--plain', `--report=${file}`], first)
    await job.until(/4 of 4 devices answered a command/)
    job.interrupt()
    // The task runner itself answers an interrupt as a shell does (130, or the signal) and keeps the rest of the output to
    // itself: what the simulator thought of the run stands in its report. That the apps exit with 0 is tested in fleet.test.ts.
    expect([0, 130, null]).toContain(await job.exited)
    expect(report(file)).toMatchObject({ ok: true, endedBy: 'signal', connected: 4, lost: 0 })
    await expectPortsFree(first)
  })

  test('with a port that another program has, says which and how to choose another, and fails', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    try {
      const job = simulatorServe(['--devices=1', '--duration=1s', '--plain'], {
        ...first,
        FLEETROOT_ENROLLMENT_PORT: String(port),
      })
      expect(await job.exited).not.toBe(0)
      expect(job.output()).toMatch(
        new RegExp(
          `enrollment-server: cannot listen on 127\\.0\\.0\\.1:${port}: .*FLEETROOT_ENROLLMENT_PORT`,
        ),
      )
    } finally {
      server.close()
    }
  })

  test('with a data directory that cannot be made, says so in one sentence and fails', async () => {
    const file = join(folder.path, 'a-file')
    writeFileSync(file, '')
    const env = { ...first, FLEETROOT_DATA: join(file, 'data') }
    const job = simulatorServe(['--devices=1', '--duration=1s', '--plain'], env)
    expect(await job.exited).not.toBe(0)
    // Whichever is first stops the others.
    expect(job.output()).toMatch(/^(enrollment-server|broker|simulator): .*a-file.*FLEETROOT_DATA/m)
    expect(job.output()).not.toMatch(/^\s+at /m)
  })

  test('with a flag that does not exist, names the nearest one and fails', async () => {
    const job = simulatorServe(['--devises=1', '--plain'], first)
    expect(await job.exited).not.toBe(0)
    expect(job.output()).toContain('--devises is not an option; did you mean --devices?')
  })
})
