import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { clientTlsOptions, enrollmentServer, loadTrust } from '@fleetroot/tls-config'
import { FleetctlError } from '../error.ts'
import { createAgent, type Exchanged, exchange, type Request } from './exchange.ts'
import { connectionFailure } from './failure.ts'
import type { ServerFiles } from './files.ts'
import type { OperatorIdentity } from './identity.ts'
import { type Upload, upload } from './upload.ts'
import { refusal } from './problem.ts'

/** The enrollment server's REST API, as the operator sees it. */
export interface Server {
  readonly url: string
  /**
   * One call; `what` begins the sentence when it is refused (`cannot register pump-7`). Resolves to the parsed body.
   * Throws FleetctlError `refused` with the server's reason, `server-unreachable`, `server-untrusted`,
   * `operator-identity-unusable`, `server-answer-invalid`.
   */
  readonly call: <Body>(what: string, request: Request) => Promise<Body>
  /** Sends a file; the lines of the answer are heard while it is sent. Throws as `call` does. */
  readonly upload: (what: string, wanted: Upload) => Promise<void>
  readonly close: () => void
}

/** A server that is busy (429, 503) is asked again so often, when it says that it will have time. */
const attempts = 5

/** Opens no connection yet. Without an identity only what everybody may read is answered. */
export function openServer(
  files: ServerFiles,
  { identity, signal }: { identity?: OperatorIdentity | undefined; signal: AbortSignal },
): Server {
  const base = parseUrl(files)
  const trust = readTrust(files).map(({ pem }) => pem)
  const tls = clientTlsOptions({
    trust,
    mode: 'compatible',
    server: enrollmentServer,
    ...(identity && { identity }),
  })
  const agent = createAgent(tls)

  async function send(asked: Request): Promise<Exchanged> {
    const request = asked.once ? { ...asked, idempotencyKey: randomUUID() } : asked
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await exchange(agent, base, request, signal)
        const busy = answer.status === 429 || answer.status === 503
        if (!busy || attempt === attempts) return answer
        await delay(Math.min(Math.max(answer.retryAfterMs, 200 * 2 ** attempt), 60_000), undefined, {
          signal,
        })
      } catch (error) {
        if (signal.aborted) throw new FleetctlError('interrupted', 'interrupted', { cause: error })
        // A kept connection that the server closed in this moment. All calls can be repeated: what has happened is said again,
        // and what makes something has a key.
        const hungUp = (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        if (hungUp && attempt < 3) continue
        throw connectionFailure(error, files)
      }
    }
  }

  return {
    url: files.url,
    call: async <Body>(what: string, request: Request): Promise<Body> => {
      const { status, body } = await send(request)
      if (status < 200 || status > 299) throw refusal(what, status, body)
      try {
        return JSON.parse(body) as Body
      } catch (error) {
        const message = `${files.url}: what answers there is no enrollment server (no JSON); check ${files.urlFrom}`
        throw new FleetctlError('server-answer-invalid', message, { cause: error })
      }
    },
    upload: async (what, wanted) => {
      const { status, body } = await upload(agent, base, wanted, signal).catch((error: unknown) => {
        if (signal.aborted) throw new FleetctlError('interrupted', 'interrupted', { cause: error })
        throw connectionFailure(error, files)
      })
      if (status !== 200) throw refusal(what, status, body)
    },
    close: () => agent.destroy(),
  }
}

function parseUrl({ url, urlFrom }: ServerFiles): URL {
  if (URL.canParse(url)) {
    const parsed = new URL(url)
    if (parsed.protocol === 'https:' && parsed.hostname !== '' && parsed.username === '') return parsed
  }
  throw new FleetctlError(
    'usage',
    `${urlFrom}: ${JSON.stringify(url)} is no address of a server; write https://host:port`,
  )
}

function readTrust({ trust }: ServerFiles) {
  try {
    return loadTrust(trust)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const message = `no trust anchor: ${why}; give the server's public/root.crt with --trust, or its data directory with --data`
    throw new FleetctlError('data-unusable', message, { cause: error })
  }
}
