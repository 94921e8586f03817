import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from './folder.ts'
import { freePort } from './port.ts'

/** A real redis-server on a free port of loopback, with a folder of its own. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** `redis://127.0.0.1:PORT` */
  readonly url: string
  /** Starts it again, on the same port and data; it must have ended. */
  start(): Promise<void>
  /** SIGTERM: it saves what it has, if it is to. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: it takes connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** One command, for what a test wants to know; the answer as the protocol has it. */
  ask(...words: string[]): Promise<string>
}

/** By default what is written survives a kill of Redis and of the machine, as the broker's disk store does. */
const durable = ['--appendonly', 'yes', '--appendfsync', 'always']

/** Starts a redis-server; `await using` or the test ends it. `args` replace `--appendonly yes --appendfsync always`. */
export async function startRedis(args: readonly string[] = durable): Promise<RedisServer> {
  const folder = temporaryFolder()
  const port = await freePort()
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const basics = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path, '--save', '']
    child = spawn('redis-server', [...basics, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    }
    while (!(await answers())) {
      if (child.exitCode !== null) throw new Error(`redis-server in ${join(folder.path)} ended:\n${output}`)
      await delay(20)
    }
  }

  async function answers(): Promise<boolean> {
    return (await ask('PING').catch(() => '')).startsWith('+PONG')
  }

  async function ask(...words: string[]): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      socket.write(
        `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      return answer.toString()
    } finally {
      socket.destroy()
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const closed = once(ending, 'close')
    ending.kill(signal)
    await closed
  }

  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    ask,
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL')
      folder[Symbol.dispose]()
    },
  }
}
