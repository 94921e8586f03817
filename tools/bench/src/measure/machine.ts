import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

/** One line that says where the numbers below it were measured. */
export function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GiB, Linux ${release()}, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`
}

/** The first line that a peer prints of its own version, or undefined where it is not installed. */
export function versionOf(program: string, args: string[], pattern: RegExp): string | undefined {
  try {
    return pattern.exec(
      execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    )?.[0]
  } catch (error) {
    // mosquitto -h exits with 3 after printing what we want.
    return pattern.exec((error as { stdout?: string }).stdout ?? '')?.[0]
  }
}
