import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, temporaryFolder } from '@fleetroot/harness'
import { afterAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'

// What a newcomer does first: one command of the task runner, and what it prints, pasted into another terminal.

const root = join(import.meta.dirname, '../../../..')

judgedBy(['curl', 'openssl'], 'the sandbox', () => {
  const folder = temporaryFolder()
  let group: number | undefined
  afterAll(() => {
    if (group !== undefined) process.kill(-group, 'SIGKILL')
    folder[Symbol.dispose]()
  })

  async function environment(): Promise<Record<string, string>> {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(NX_|VITEST|FLEETROOT_)/.test(name))
    return {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      // A space, as in many a user's folders: what is printed must be fit for a shell.
      FLEETROOT_DATA: join(folder.path, 'my data'),
      FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
      FLEETROOT_ENROLLMENT_HTTP_PORT: String(await freePort()),
      FLEETROOT_ENROLLMENT_METRICS_PORT: String(await freePort()),
    }
  }

  /** Starts `npx nx run enrollment-server:serve --sandbox=d1` and resolves to what it printed behind the ready line. */
  async function startSandbox(): Promise<string> {
    const child = spawn('npx', ['nx', 'run', 'enrollment-server:serve', '--sandbox=d1'], {
      cwd: root,
      env: await environment(),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    group = child.pid
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => (output += String(part)))
    const ended = once(child, 'close').then(() => Promise.reject(new Error(`it ended:\n${output}`)))
    ended.catch(() => undefined)
    while (!/^base64 -d.*\n/m.test(output)) await Promise.race([once(child.stdout, 'data'), ended])
    return output
  }

  test('prints three commands that enroll the device, as they stand there', async () => {
    const output = await startSandbox()
    expect(output).toContain('sandbox: registered d1; made a token for it')
    const commands = output.split('\n').filter((line) => /^(openssl|base64) /.test(line))
    expect(commands).toHaveLength(3)
    const cwd = join(folder.path, 'board')
    mkdirSync(cwd)
    const { status, text } = await run('sh', ['-eu'], { input: commands.join('\n'), cwd })
    expect(status, text).toBe(0)
    expect(text).toMatch(/subject=CN = d1\nissuer=.*Devices.*\nnotAfter=/)
  })
})
