import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, type Redis } from 'ioredis'

const names = [
  'join',
  'leave',
  'beat',
  'bury',
  'claim',
  'write',
  'accept',
  'age',
  'enter',
  'open',
  'settle',
] as const
export type ScriptName = (typeof names)[number]

/** What an argument of a script may be. */
export type Argument = string | number | Buffer

const read = (name: string): string => readFileSync(join(import.meta.dirname, `scripts/${name}.lua`), 'utf8')

/** What is in front of a script. */
const before = (name: ScriptName): string[] => (name === 'accept' ? ['common', 'receivers'] : ['common'])

const scripts = new Map(
  names.map((name) => {
    const text = [...before(name), name].map(read).join('\n')
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }]
  }),
)

/** Did a script refuse because this node was declared dead? */
export function isFenced(error: unknown): boolean {
  return error instanceof Error && error.message.includes('FENCED')
}

/** Has Redis answered with this error? Others are those of the connection. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Was it a script that went wrong, and not Redis that cannot do what it asks for? Then nothing is wrong with other calls. */
export function isOwnFault(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('ERR user_script:')
}

/** The scripts of `scripts/`, each of which Redis runs as one piece. */
export class Scripts {
  readonly #connection: Redis
  readonly #prefix: string
  #isCorked = false

  constructor(connection: Redis, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
  }

  /** Hands them to Redis, which forgets them when it restarts. */
  async load(): Promise<void> {
    for (const { text } of scripts.values()) await this.#connection.script('LOAD', text)
  }

  /**
   * Runs one in the name of a node; strings in the answer are buffers. Calls reach Redis in their order, those of one turn
   * in one piece. Nothing is sent again, not even when Redis does not know the script: it would be out of order.
   */
  run(name: ScriptName, node: string, args: readonly Argument[] = []): Promise<unknown> {
    this.#cork()
    const { sha } = scripts.get(name)!
    // Not as arguments of a function: a message for a whole fleet has more words than the stack has room for.
    const words: Argument[] = [sha, 1, this.#prefix, node]
    const command = new Command('EVALSHA', words.concat(args), { replyEncoding: null })
    return this.#connection.sendCommand(command) as Promise<unknown>
  }

  #cork(): void {
    const { stream } = this.#connection
    if (this.#isCorked || stream === undefined) return
    this.#isCorked = true
    stream.cork()
    setImmediate(() => {
      this.#isCorked = false
      stream.uncork()
    })
  }
}
