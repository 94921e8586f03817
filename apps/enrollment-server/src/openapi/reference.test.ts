import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

describe('GET /v1/docs', () => {
  it('is a page of which every part comes from this server', async () => {
    const page = await testbed.request('/v1/docs')
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '')
    expect(parts).toHaveLength(4)
    for (const path of parts) {
      expect(path).toMatch(/^\/v1\//)
      expect((await testbed.request(path)).status).toBe(200)
    }
    expect((await testbed.request('/v1/docs/start.js')).body).toContain('"url":"/v1/openapi.json"')
    expect((await testbed.request('/v1/docs/swagger-ui-bundle.js')).body).toContain('SwaggerUIBundle')
  })

  it('may load nothing from anywhere else, and runs nothing that is written into it', async () => {
    for (const path of ['/v1/docs', '/v1/docs/swagger-ui-bundle.js']) {
      const policy = String((await testbed.request(path)).headers['content-security-policy'])
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'; /)
      expect(policy).not.toMatch(/unsafe|https?:|\*/)
    }
    const { body } = await testbed.request('/v1/docs')
    expect(body).not.toMatch(/<script>|<style|\son\w+=|style=/)
  })

  it('is not sent again when the browser has it', async () => {
    for (const path of ['/v1/docs', '/v1/docs/swagger-ui.css']) {
      const { headers } = await testbed.request(path)
      const again = await testbed.request(path, { headers: { 'if-none-match': String(headers.etag) } })
      expect([again.status, again.body]).toEqual([304, ''])
    }
  })
})
