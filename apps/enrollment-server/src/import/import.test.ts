import { once } from 'node:events'
import { request } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enrolledDevice } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

type Line = Record<string, unknown> & { readonly type: string }

async function send(body: string | Buffer, type: string, query = '', identity: Identity = testbed.operator) {
  const answer = await testbed.request(`/v1/devices/import${query}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body,
    identity,
  })
  const isReport = answer.headers['content-type'] === 'application/x-ndjson'
  const lines = isReport
    ? answer.body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Line)
    : []
  return {
    ...answer,
    lines,
    refused: lines.filter(({ type: kind }) => kind === 'refused'),
    last: lines.at(-1),
  }
}
const csv = (text: string | Buffer, query?: string) => send(text, 'text/csv', query)
const ndjson = (rows: readonly object[], query?: string) =>
  send(rows.map((row) => `${JSON.stringify(row)}\n`).join(''), 'application/x-ndjson', query)
const deviceOf = async (id: string) => {
  const { status, json } = await testbed.request(`/v1/devices/${id}`, { identity: testbed.operator })
  return status === 200 ? json : undefined
}

describe('an import', () => {
  it('of NDJSON registers every device, and the audit has each', async () => {
    const { status, last } = await ndjson([
      { id: 'n-1', labels: { site: 'north' }, batch: '2030-07' },
      { id: 'n-2', profile: 'service', dns: ['n-2.example'], ip: ['192.0.2.1'] },
    ])
    expect([status, last]).toEqual([
      200,
      { type: 'done', dryRun: false, notShown: 0, rows: 2, added: 2, unchanged: 0, refused: 0 },
    ])
    expect(await deviceOf('n-1')).toMatchObject({
      state: 'registered',
      labels: { site: 'north' },
      batch: '2030-07',
    })
    expect(await deviceOf('n-2')).toMatchObject({
      profile: 'service',
      dns: ['n-2.example'],
      ip: ['192.0.2.1'],
    })
    const audit = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    const registered = (audit.json['items'] as { record: Line }[]).filter(
      ({ record }) => record.type === 'registered',
    )
    expect(registered.map(({ record }) => record['deviceId'])).toEqual(expect.arrayContaining(['n-1', 'n-2']))
  })

  it('of CSV takes a byte order mark, CRLF, columns in any order, several names in a field, and labels', async () => {
    const file =
      '\u{feff}label.site,dns,id,profile,label.note\r\n' +
      'north,"c-1.example c-1b.example",c-1,service,"a, b"\r\n' +
      ',,c-2,,=HYPERLINK(1)\r\n'
    expect((await csv(file)).last).toMatchObject({ type: 'done', added: 2, refused: 0 })
    expect(await deviceOf('c-1')).toMatchObject({
      profile: 'service',
      dns: ['c-1.example', 'c-1b.example'],
      labels: { site: 'north', note: 'a, b' },
    })
    // What a spreadsheet would run is data here, and stays as it was written.
    expect(await deviceOf('c-2')).toMatchObject({ profile: 'device', labels: { note: '=HYPERLINK(1)' } })
  })

  it('sent again changes nothing: every row is unchanged', async () => {
    const rows = [{ id: 'again-1', labels: { b: '2', a: '1' } }, { id: 'again-2' }]
    await ndjson(rows)
    expect((await ndjson(rows)).last).toMatchObject({ added: 0, unchanged: 2, refused: 0 })
    expect((await csv('id,label.a,label.b\nagain-1,1,2\nagain-2,,\nagain-3,,\n')).last).toMatchObject({
      added: 1,
      unchanged: 2,
    })
  })

  it('says of every row that it refuses the line, the field and the fix, and takes the others', async () => {
    const { refused, last } = await csv(
      'id,profile,dns,ip\nbad id,,,\nrow-2,wrong,,\nrow-3,,x.example,\noperator,,,\nrow-5,service,,1.2.3\nrow-6,,\nro"w,,,\nrow-8,,,\n',
    )
    expect(refused.map(({ row, line, id, code }) => [row, line, id, code])).toEqual([
      [1, 2, 'bad id', 'field-invalid'],
      [2, 3, 'row-2', 'field-invalid'],
      [3, 4, 'row-3', 'field-invalid'],
      [4, 5, 'operator', 'device-managed'],
      [5, 6, 'row-5', 'field-invalid'],
      [6, 7, undefined, 'body-malformed'],
      [7, 8, undefined, 'body-malformed'],
    ])
    expect(refused.flatMap(({ errors }) => errors)).toEqual([
      { field: 'id', message: expect.stringMatching(/^must be 1 to 64 letters/) },
      { field: 'profile', message: 'must be device, service or broker' },
      { field: 'dns', message: expect.stringMatching(/^certificates of the profile device carry none; use/) },
      { field: 'id', message: 'is the server’s own' },
      { field: 'ip.0', message: 'must be an IPv4 or IPv6 address' },
      { message: 'has 3 fields, the header 4' },
      { message: expect.stringMatching(/^has a quote within a field/) },
    ])
    expect(last).toMatchObject({ type: 'done', rows: 8, added: 1, refused: 7 })
    expect(await deviceOf('row-8')).toBeDefined()
  })

  it('refuses a label that may not be called so, and drops none in silence', async () => {
    const inCsv = await send('id,label.__proto__\nproto-1,x\n', 'text/csv')
    expect(inCsv).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining('"label.__proto__"') as string },
    })
    const inJson = await send('{"id":"proto-1","labels":{"__proto__":"x"}}\n', 'application/x-ndjson')
    expect(inJson.body).toContain('without a field __proto__')
    expect(await deviceOf('proto-1')).toBeUndefined()
  })

  it('refuses the second row of an id that differs, and leaves the device as it was', async () => {
    const { refused, last } = await ndjson([
      { id: 'two' },
      { id: 'two' },
      { id: 'two', batch: 'x', labels: { a: 'b' } },
    ])
    expect(last).toMatchObject({ added: 1, unchanged: 1, refused: 1 })
    expect(refused).toMatchObject([
      { row: 3, id: 'two', code: 'device-exists', errors: [{ field: 'labels' }, { field: 'batch' }] },
    ])
    expect((await deviceOf('two'))?.['labels']).toEqual({})
  })

  it('that is a dry run says the same and does nothing', async () => {
    await ndjson([{ id: 'dry-1' }])
    const { refused, last } = await ndjson(
      [{ id: 'dry-1' }, { id: 'dry-2' }, { id: 'dry-2' }, { id: 'dry-2', batch: 'b' }, { id: '?' }],
      '?dryRun=true',
    )
    expect(last).toMatchObject({ type: 'done', dryRun: true, rows: 5, added: 1, unchanged: 2, refused: 2 })
    expect(refused.map(({ code }) => code)).toEqual(['device-exists', 'field-invalid'])
    expect(await deviceOf('dry-2')).toBeUndefined()
  })

  it('shows a thousand of the rows that it refuses, and counts the others', async () => {
    const { refused, last } = await csv(`id\n${'?\n'.repeat(1500)}`)
    expect([refused.length, last]).toEqual([1000, expect.objectContaining({ refused: 1500, notShown: 500 })])
  })

  it.each([
    ['no header', '', /the file is empty; its first row must name the columns/],
    ['an unknown column', 'id,colour\n', /header: "colour" is no column; there are id, profile,/],
    ['a misspelt column', 'id,bathc\n', /did you mean batch\?/],
    ['a column that is there twice', 'id,id\n', /the column "id" is there twice/],
    ['no id', 'profile\ndevice\n', /the column id is missing/],
    ['semicolons', 'id;profile\na;device\n', /must be separated by commas/],
    ['an encoding that is not UTF-8', Buffer.from('id,label.a\nx,\xe9\n', 'latin1'), /is not UTF-8/],
  ])('of a file with %s is refused as a whole', async (_what, file, detail) => {
    const answer = await csv(file)
    expect(answer).toMatchObject({ status: 400, json: { detail: expect.stringMatching(detail) } })
  })

  it('of a file that breaks off keeps what came before, and says where it stopped', async () => {
    const { last, status } = await csv('id\nbroken-1\nbroken-2\n"broken-3\n')
    expect(status).toBe(200)
    expect(last).toMatchObject({
      type: 'stopped',
      code: 'body-malformed',
      detail: 'body: line 4: a quote in this row is not closed',
      added: 2,
    })
    expect(await deviceOf('broken-2')).toBeDefined()
  })

  it('needs an operator, a format that is known, and no other parameter', async () => {
    const { identity } = await enrolledDevice(testbed, 'service-1', { profile: 'service' })
    expect((await send('id\n', 'text/csv', '', identity)).json['code']).toBe('role-not-allowed')
    expect((await send('{}', 'application/json')).json['code']).toBe('content-type-unsupported')
    expect((await csv('id\n', '?dry=true')).json['code']).toBe('field-invalid')
    expect((await csv('id\n', '?dryRun=1')).json['code']).toBe('field-invalid')
  })

  it('does not wait for a client that sends all of its file before it reads', async () => {
    const outgoing = request({
      host: 'localhost',
      port: testbed.port,
      path: '/v1/devices/import?dryRun=true',
      method: 'POST',
      ca: testbed.root,
      agent: false,
      headers: { 'content-type': 'text/csv' },
      ...testbed.operator,
    })
    const answered = once(outgoing, 'response')
    outgoing.write('id\n')
    for (let n = 0; n < 200; n += 1) {
      const more = Array.from({ length: 500 }, () => `${'?'.repeat(60)}\n`).join('')
      if (!outgoing.write(more)) await once(outgoing, 'drain')
    }
    outgoing.end()
    const [response] = (await answered) as [AsyncIterable<Buffer>]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect(JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ type: 'done', rows: 100_000 })
  })

  it('ends when its operator is revoked: the rows before stay, no further one is taken', async () => {
    const { identity, serial } = await secondOperator()
    const outgoing = request({
      host: 'localhost',
      port: testbed.port,
      path: '/v1/devices/import',
      method: 'POST',
      ca: testbed.root,
      agent: false,
      headers: { 'content-type': 'text/csv' },
      ...identity,
    })
    const answered = once(outgoing, 'response')
    outgoing.write(`id\n${Array.from({ length: 200 }, (_, n) => `early-${n}\n`).join('')}`)
    await expect.poll(() => deviceOf('early-199'), { timeout: 20_000 }).toBeDefined()
    await command(testbed, `/v1/certificates/${serial}/revoke`, {})
    outgoing.end(Array.from({ length: 200 }, (_, n) => `late-${n}\n`).join(''))
    const [response] = (await answered) as [AsyncIterable<Buffer>]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect(JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      type: 'stopped',
      code: 'certificate-inactive',
      added: 200,
    })
    expect(await deviceOf('late-0')).toBeUndefined()
  })
})

/** Another certificate of the operator. */
async function secondOperator(): Promise<{ identity: Identity; serial: string }> {
  const { createCsr, decodeCertsOnly, exportPrivateKey, generateKeyPair } = await import('@fleetroot/pki')
  const { privateKey } = generateKeyPair('P-256')
  const answer = await testbed.request('/.well-known/est/simplereenroll', {
    method: 'POST',
    headers: { 'content-type': 'application/pkcs10' },
    body: createCsr({ privateKey, commonName: 'operator' }).toString('base64'),
    identity: testbed.operator,
  })
  const [certificate] = decodeCertsOnly(Buffer.from(answer.body, 'base64'))
  if (!certificate) throw new Error(answer.body)
  return {
    identity: { key: exportPrivateKey(privateKey), cert: certificate.pem },
    serial: certificate.serial,
  }
}
