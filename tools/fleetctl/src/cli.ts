import { join } from 'node:path'
import type { Command } from './command/command.ts'
import type { Context } from './command/context.ts'
import { helpText } from './command/help.ts'
import type { Input } from './command/input.ts'
import { parseCommandLine } from './command/parse.ts'
import { table } from './command/table.ts'
import { type ExitStatus, exitStatus, FleetctlError } from './error.ts'
import { printable, printableJson, printableLines } from './output/printable.ts'
import { render } from './output/render.ts'
import { dataDirectory, serverFiles } from './server/files.ts'
import type { Server } from './server/server.ts'
import { confirm } from './terminal/confirm.ts'
import { startProgress } from './terminal/progress.ts'
import type { Terminal } from './terminal/terminal.ts'

/** What a run of fleetctl depends on. */
export interface Surroundings {
  readonly argv: readonly string[]
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly terminal: Terminal
  readonly version: string
  /** Aborted by SIGINT: what is under way is given up, what is done stays done. */
  readonly signal: AbortSignal
  readonly now: () => Date
}

/** Runs one command line and resolves to the exit status. Never throws: what goes wrong is said on stderr. */
export async function runCommandLine(surroundings: Surroundings): Promise<ExitStatus> {
  const { argv, terminal, version } = surroundings
  try {
    const parsed = await parseCommandLine(argv, table)
    switch (parsed.kind) {
      case 'version':
        await terminal.write(`fleetctl ${version}\n`)
        return exitStatus.done
      case 'help':
        await terminal.write(helpText(parsed.path, table))
        return exitStatus.done
      case 'run':
        return await runCommand(parsed.command, parsed.input, surroundings)
      default:
        return parsed satisfies never
    }
  } catch (error) {
    return complain(error, surroundings)
  }
}

async function runCommand(command: Command, input: Input, surroundings: Surroundings): Promise<ExitStatus> {
  const { terminal } = surroundings
  const opened: Server[] = []
  try {
    const context = createContext(input, surroundings, opened)
    const run = await command.load()
    const answer = await run(input, context)
    if (answer === undefined) return exitStatus.done
    const mode = context.isJson ? 'json' : context.isTerminal ? 'terminal' : 'lines'
    await terminal.write(render(answer, mode, context.isTerminal))
    if (answer.note !== undefined) context.note(answer.note)
    return answer.status ?? exitStatus.done
  } finally {
    for (const server of opened) server.close()
  }
}

function createContext(input: Input, surroundings: Surroundings, opened: Server[]): Context {
  const { env, terminal, signal, now } = surroundings
  const isJson = input.on('json')
  const note = (line: string): void => {
    if (!isJson) terminal.writeError(`${printable(line)}\n`)
  }
  return {
    env,
    signal,
    now,
    isJson,
    isTerminal: terminal.isOutputTerminal,
    dataFile: (path) => join(dataDirectory(input, env), path),
    server: async ({ anonymous = false } = {}) => {
      const { openAsOperator, openServer } = await import('./server/open.ts')
      const files = serverFiles(input, env)
      const server = anonymous
        ? openServer(files, { signal })
        : await openAsOperator(files, { signal, now: now(), warn: note })
      opened.push(server)
      return server
    },
    confirm: (question) => confirm(terminal, { question, yes: input.on('yes'), signal }),
    askSecret: async (question) =>
      terminal.isInputTerminal && terminal.isErrorTerminal
        ? terminal.readLine(question, { hidden: true, signal })
        : undefined,
    readStandardInput: terminal.readInput,
    note,
    progress: (total, what) => startProgress(terminal, { total, what, quiet: isJson }),
    write: (text) => terminal.write(printableLines(text)),
  }
}

/** One sentence, or with --json one object, on stderr. */
function complain(thrown: unknown, { argv, terminal, signal }: Surroundings): ExitStatus {
  const error = signal.aborted ? new FleetctlError('interrupted', 'interrupted') : thrown
  const known = error instanceof FleetctlError ? error : undefined
  const code = known?.problem?.code ?? known?.code ?? 'failed'
  const status = known?.exitStatus ?? exitStatus.failed
  const message = sentenceOf(error)
  if (isJsonAsked(argv)) {
    const problem = known?.problem && { status: known.problem.status }
    terminal.writeError(`${printableJson({ error: { code, message, exitStatus: status, ...problem } })}\n`)
  } else {
    terminal.writeError(`fleetctl: ${printable(message)}\n`)
  }
  return status
}

/** A wrong command line cannot be parsed, and whoever reads JSON wants to read that too. */
function isJsonAsked(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

const fileTroubles: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'it exists already',
  EISDIR: 'it is a directory',
  ENOENT: 'there is no such file or directory',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is no directory',
  EROFS: 'the file system is read-only',
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, path, message } = error as NodeJS.ErrnoException
  const trouble = fileTroubles[code ?? '']
  return trouble !== undefined && path !== undefined ? `cannot use ${path}: ${trouble}` : message
}
