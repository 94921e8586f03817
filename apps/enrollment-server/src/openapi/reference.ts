import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { resource } from '../http/resource.ts'

/** Everything comes from this server, and nothing that is written into the page runs. Swagger UI draws its icons as data. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Fleetroot enrollment server</title>
    <link rel="stylesheet" href="/v1/docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <noscript>This page draws <a href="/v1/openapi.json">/v1/openapi.json</a> with JavaScript.</noscript>
    <script src="/v1/docs/swagger-ui-bundle.js"></script>
    <script src="/v1/docs/start.js"></script>
  </body>
</html>
`

const settings = {
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: -1,
  // Otherwise it asks a server of its makers.
  validatorUrl: null,
} satisfies FastifySwaggerUiOptions['uiConfig']

const start = `SwaggerUIBundle(${JSON.stringify({ url: '/v1/openapi.json', dom_id: '#reference', ...settings })})\n`

interface Asset {
  readonly type: string
  readonly body: string
  readonly etag: string
}

/** Serves the rendered reference of the REST API at `/v1/docs`: Swagger UI, from the package on disk, without a request to anybody else. */
export function referenceRoutes(app: FastifyInstance): void {
  const assets: Readonly<Record<string, () => Asset>> = {
    '/v1/docs': once(() => asset('text/html; charset=utf-8', page)),
    '/v1/docs/start.js': once(() => asset('text/javascript; charset=utf-8', start)),
    '/v1/docs/swagger-ui-bundle.js': once(() =>
      asset('text/javascript; charset=utf-8', packaged('swagger-ui-bundle.js')),
    ),
    '/v1/docs/swagger-ui.css': once(() => asset('text/css; charset=utf-8', packaged('swagger-ui.css'))),
  }
  for (const [path, read] of Object.entries(assets)) {
    resource(app, path, {
      GET: {
        access: 'public',
        schema: { hide: true },
        handler: (request, reply) => send(request, reply, read()),
      },
    })
  }
}

function send(request: FastifyRequest, reply: FastifyReply, { type, body, etag }: Asset): FastifyReply {
  reply.headers({
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    etag,
  })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  return reply.type(type).send(body)
}

function asset(type: string, body: string): Asset {
  return { type, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

/** The files of Swagger UI as @fastify/swagger-ui ships them. */
function packaged(name: 'swagger-ui-bundle.js' | 'swagger-ui.css'): string {
  const { resolve } = createRequire(import.meta.url)
  return readFileSync(resolve(`@fastify/swagger-ui/static/${name}`), 'utf8')
}

/** Read when somebody first asks, and kept: most servers are never asked. */
function once<Value extends object>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => (made ??= make())
}
