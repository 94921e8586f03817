import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Child, killChildren, startChild } from './child.fixture.ts'

let directory: string
let data: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetroot-app-'))
  data = join(directory, 'data')
})
afterEach(async () => {
  await killChildren()
  await rm(directory, { recursive: true })
})

function start(args: string[] = [], env: Record<string, string> = {}, uid?: number): Child {
  const options = { env: { FLEETROOT_DATA: data, ...env }, ...(uid === undefined ? {} : { uid, gid: uid }) }
  return startChild(new URL('app.fixture.ts', import.meta.url), args, options)
}

const act = (name: string, env: Record<string, string> = {}) => start([`--act=${name}`], env)

describe('a server', () => {
  it('prints its ready line on stdout and nothing else when it is no terminal', async () => {
    const child = start()
    const line = await child.line(/listening/)
    expect(line).toMatch(/^lamp: listening on http:\/\/127\.0\.0\.1:\d+$/)
    child.process.kill('SIGTERM')
    const { stdout, stderr } = await child.end
    expect(stdout.split('\n')[0]).toBe(line)
    expect(stderr).toBe('')
  })

  it('logs JSON lines on stderr, without secrets, when FLEETROOT_LOG_LEVEL asks for them', async () => {
    const child = start([], { FLEETROOT_LOG_LEVEL: 'info' })
    await child.line(/listening/)
    child.process.kill('SIGTERM')
    const { stderr } = await child.end
    const lines = stderr.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'serving',
      'stopping: SIGTERM',
    ])
    expect(stderr).not.toContain('hunter22')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'stops on %s: hooks in reverse order, exit status 0',
    async (signal) => {
      const child = start()
      await child.line(/listening/)
      child.process.kill(signal)
      const { status, stdout } = await child.end
      expect(stdout.split('\n').slice(1, 3)).toEqual(['stopped operations', 'stopped data'])
      expect(status).toBe(0)
    },
  )

  it('runs the hook on SIGHUP and stays', async () => {
    const child = start()
    await child.line(/listening/)
    child.process.kill('SIGHUP')
    await child.line(/reloaded/)
    child.process.kill('SIGTERM')
    expect((await child.end).status).toBe(0)
  })

  it('can be stopped while it starts', async () => {
    const child = act('starting')
    await child.line(/starting/)
    child.process.kill('SIGTERM')
    expect(await child.end).toMatchObject({ status: 0, stdout: 'starting\nstopped start\n', stderr: '' })
  })

  it('exits at once with 1 on a second signal', async () => {
    const child = act('hang')
    await child.line(/listening/)
    child.process.kill('SIGTERM')
    await child.line(/hanging/)
    child.process.kill('SIGINT')
    const { status, stdout } = await child.end
    expect(status).toBe(1)
    expect(stdout).not.toContain('stopped first')
  })

  it('gives up when a hook does not end in time, naming it', async () => {
    const child = act('hang', { STOP_WITHIN_MS: '50' })
    await child.line(/listening/)
    child.process.kill('SIGTERM')
    const { status, stderr } = await child.end
    expect(status).toBe(1)
    expect(stderr).toContain('did not stop within 0.05 s: stuck session is still open')
  })

  it('runs the other hooks when one fails, and exits with 1', async () => {
    const child = act('brokenHook')
    await child.line(/listening/)
    child.process.kill('SIGTERM')
    const { status, stdout, stderr } = await child.end
    expect(status).toBe(1)
    expect(stdout).toContain('stopped first')
    expect(stderr).toContain('cannot stop journal cleanly')
  })

  it('lets a hook raise the exit status', async () => {
    const child = act('lostMessages')
    await child.line(/listening/)
    child.process.kill('SIGINT')
    expect((await child.end).status).toBe(4)
  })

  it.each([
    ['throw', 'uncaught exception'],
    ['reject', 'unhandled rejection'],
  ])('logs a %s nobody handles in one line and exits with 1', async (name, message) => {
    const { status, stderr } = await act(name).end
    expect(status).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(stderr)).toMatchObject({ level: 'fatal', msg: message, err: { message: 'it broke' } })
  })

  it('survives that the reader of its stdout goes away', async () => {
    const child = act('brokenPipe')
    await child.line(/listening/)
    child.process.stdout.destroy()
    await child.line(/survived/)
    child.process.kill('SIGTERM')
    expect(await child.end).toMatchObject({ status: 0, stderr: 'survived\ndrained\n' })
  })
})

describe('an app that does a job', () => {
  it('runs the stop hooks and ends with the status that main returns', async () => {
    expect(await act('work').end).toMatchObject({ status: 3, stdout: 'stopped work\n', stderr: '' })
  })
})

describe('a start that fails', () => {
  it('says so in one sentence without a stack, runs the stop hooks and exits with 1', async () => {
    const { status, stdout, stderr } = await act('refuse').end
    expect(stderr).toBe('lamp: the enrollment server refused the token: it was used\n')
    expect(stdout).toBe('stopped half-open\n')
    expect(status).toBe(1)
  })

  it('shows the stack of a bug only with FLEETROOT_LOG_LEVEL=debug, and says so', async () => {
    const { status, stderr } = await act('bug').end
    expect(stderr).toMatch(
      /^lamp: Cannot read .* \(this is a bug: FLEETROOT_LOG_LEVEL=debug shows where\)\n$/,
    )
    expect(status).toBe(1)
    expect((await act('bug', { FLEETROOT_LOG_LEVEL: 'debug' }).end).stderr).toContain('app.fixture.ts')
  })

  it('names address, flag and variable when the port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    const { status, stderr } = await start([], { FLEETROOT_LAMP_METRICS_PORT: String(port) }).end
    await new Promise((resolve) => other.close(resolve))
    expect(stderr).toBe(
      `lamp: cannot listen on 127.0.0.1:${port}: another program has that port; stop it, or choose another port ` +
        'with --metrics-port or FLEETROOT_LAMP_METRICS_PORT (0 picks a free one)\n',
    )
    expect(status).toBe(1)
  })

  it('names flag and variable when this machine does not have the address', async () => {
    const { status, stderr } = await start(['--host=203.0.113.1']).end
    expect(stderr).toBe(
      'lamp: cannot listen on 203.0.113.1: this machine has no such address; change --host or FLEETROOT_HOST\n',
    )
    expect(status).toBe(1)
  })

  it('explains an error event that nobody listens to', async () => {
    const { status, stderr } = await act('lateListen').end
    expect(stderr).toMatch(/^lamp: cannot listen on 203\.0\.113\.1:1: .*\n$/)
    expect(status).toBe(1)
  })

  it('names the data directory when it cannot be used', async () => {
    await writeFile(data, 'a file')
    const { status, stderr } = await start().end
    expect(stderr).toBe(
      `lamp: cannot use data directory ${data}: it is a file, not a directory; ` +
        'choose another with --data or FLEETROOT_DATA\n',
    )
    expect(status).toBe(1)
  })

  it('names the data directory when this user may not write to it', async () => {
    await chmod(directory, 0o555)
    // To root every directory is writable.
    const { status, stderr } = await start([], {}, process.getuid?.() === 0 ? 65_534 : undefined).end
    expect(stderr).toBe(
      `lamp: cannot use data directory ${data}: permission denied; choose another with --data or FLEETROOT_DATA\n`,
    )
    expect(status).toBe(1)
    await chmod(directory, 0o755)
  })

  it('says that the disk is full', async () => {
    const { status, stderr } = await act('fullDisk').end
    expect(stderr).toMatch(/^lamp: cannot .*: the disk is full; free some space\n$/)
    expect(status).toBe(1)
  })
})

describe('the command line', () => {
  it('exits with 2 and one sentence when a flag is wrong', async () => {
    expect(await start(['--metric-port=1']).end).toMatchObject({
      status: 2,
      stdout: '',
      stderr:
        'lamp: --metric-port is not an option; did you mean --metrics-port? (--help lists the settings)\n',
    })
  })

  it('prints --version, --help and --print-config on stdout and exits with 0', async () => {
    const [version, help, config] = await Promise.all(
      ['--version', '--help', '--print-config'].map((flag) => start([flag]).end),
    )
    expect(version).toMatchObject({ status: 0, stdout: 'lamp 1.2.3\n', stderr: '' })
    expect(help).toMatchObject({ status: 0, stdout: expect.stringContaining('--metrics-port=…') })
    expect(config).toMatchObject({ status: 0, stdout: expect.stringMatching(/^data: .* # FLEETROOT_DATA$/m) })
  })

  it('warns about a variable that is probably a mistake, and starts', async () => {
    const child = start([], { FLEETROOT_METRICS_PORT: '1' })
    await child.line(/listening/)
    child.process.kill('SIGTERM')
    expect((await child.end).stderr).toContain(
      'FLEETROOT_METRICS_PORT is ignored; did you mean FLEETROOT_LAMP_METRICS_PORT?',
    )
    expect(await readFile(join(data, 'state'), 'utf8')).toBe('x')
  })
})
