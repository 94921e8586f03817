import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { availableParallelism } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { fromPem, readCsrParts } from './csr-parts.ts'

// What Node can do at most for `bench:enroll`, started as a program of its own: HTTP/1.1 over TLS, a CSR's key imported, its signature verified, as many
// octets as a certificate has signed, and a row committed with an fsync. No credential, no policy, no certificate, no audit: its
// answers are worth nothing. One thread for each core accepts on the port, and each has a database of its own, so that none waits for another.

interface Bare {
  readonly port: number
  readonly folder: string
  readonly key: string
  readonly cert: string
  readonly caKey: string
  readonly thread: number
}

const certificateOctets = 450

function serve({ port, folder, key, cert, caKey, thread }: Bare): void {
  const issuer = createPrivateKey(caKey)
  const rest = randomBytes(certificateOctets)
  const database = new DatabaseSync(`${folder}/bare-${thread}.db`)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000')
  database.exec('CREATE TABLE certificates (serial BLOB PRIMARY KEY, der BLOB) STRICT, WITHOUT ROWID')
  const [begin, insert, commit] = [
    database.prepare('BEGIN'),
    database.prepare('INSERT INTO certificates VALUES (?, ?)'),
    database.prepare('COMMIT'),
  ]
  let waiting: { der: Buffer; done: () => void }[] = []
  // One transaction for all requests of a turn of the event loop.
  const flush = (): void => {
    const all = waiting
    waiting = []
    begin.run()
    for (const { der } of all) insert.run(randomBytes(16), der)
    commit.run()
    for (const { done } of all) done()
  }

  function issue(body: Buffer, response: ServerResponse): void {
    const { csr } = JSON.parse(body.toString()) as { csr: string }
    const { info, publicKey, signature } = readCsrParts(fromPem(csr))
    const by = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    if (!verify('sha256', info, by, signature)) return void response.writeHead(400).end()
    const tbs = Buffer.concat([rest, publicKey])
    const der = Buffer.concat([tbs, sign('sha256', tbs, issuer)])
    if (waiting.length === 0) setImmediate(flush)
    const answer = JSON.stringify({ certificate: der.toString('base64') })
    waiting.push({
      der,
      done: () => response.writeHead(201, { 'content-length': Buffer.byteLength(answer) }).end(answer),
    })
  }

  createServer({ key, cert }, (request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => issue(Buffer.concat(chunks), response))
  }).listen({ host: '127.0.0.1', port, reusePort: true })
}

if (isMainThread) {
  const bare = JSON.parse(process.argv[2] ?? '{}') as Omit<Bare, 'thread'>
  for (let thread = 0; thread < availableParallelism(); thread++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...bare, thread } })
    worker.on('error', (error) => {
      throw error
    })
  }
} else serve(workerData as Bare)
