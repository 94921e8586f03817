import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What a foreign program answered. */
export interface Answer {
  readonly status: number | null
  readonly stdout: Buffer
  /** stdout and stderr as text, in the order of arrival per stream. */
  readonly text: string
}

/** Runs a program to its end, with `input` on its standard input; never throws for a status. Bounded by 100 s. */
export async function run(
  program: string,
  args: readonly string[],
  options: { input?: string | Uint8Array; cwd?: string; env?: Record<string, string> } = {},
): Promise<Answer> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    timeout: 100_000,
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program that ends before it has read its input is judged by its status, not by our broken pipe.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  const [status] = (await once(child, 'close')) as [number | null]
  return {
    status,
    stdout: Buffer.concat(stdout),
    text: `${Buffer.concat(stdout).toString()}${Buffer.concat(stderr).toString()}`,
  }
}

/** As {@link run}, and throws what the program printed where its status is not 0. */
export async function succeed(...call: Parameters<typeof run>): Promise<Answer> {
  const answer = await run(...call)
  if (answer.status !== 0)
    throw new Error(`${call[0]} ${call[1].join(' ')}: ${answer.status}\n${answer.text}`)
  return answer
}
