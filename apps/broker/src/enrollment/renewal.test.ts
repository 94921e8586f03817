import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { connectMqtt, createEstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import {
  type App,
  type AppName,
  freePort,
  operator,
  startApp,
  temporaryFolder,
  writeCaKeys,
} from '@fleetroot/harness'
import { parseSerial } from '@fleetroot/pki'
import { afterAll, expect, test } from 'vitest'

// The processes as they are run, with certificates that live twenty seconds.

const folder = temporaryFolder()
const apps: App[] = []
afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop('SIGKILL')))
  folder[Symbol.dispose]()
})

test('a broker renews its own certificate without dropping a session, and shows the new one from then on', async () => {
  const data = join(folder.path, 'data')
  writeCaKeys(data)
  const env = {
    FLEETROOT_DATA: data,
    FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
    FLEETROOT_LOG_LEVEL: 'info',
  }
  const start = (name: AppName, ...flags: string[]): App => {
    const app = startApp(name, flags, env)
    apps.push(app)
    return app
  }
  const server = start('enrollment-server', '--service-lifetime=20s')
  const broker = start('broker')
  const [enrollmentUrl, brokerUrl] = [await server.ready(), await broker.ready()]
  const trust = [readFileSync(join(data, 'public/root.crt'), 'utf8')]

  const desk = operator(data, enrollmentUrl)
  const est = createEstClient({ url: enrollmentUrl, trust })
  const store = openIdentityStore(join(folder.path, 'device'))
  const credential = { token: await desk.token('pump-7') }
  const { identity } = await enrollDevice({ id: 'pump-7', est, store, credential })
  const connection = await connectMqtt({ url: brokerUrl, trust, identity })
  const interruptions: string[] = []
  const renewal = /"serial":"(\w+)"[^\n]*"how":"renewed"/
  connection.on('offline', ({ message }) => interruptions.push(message))
  try {
    await broker.waitFor(renewal)
    await connection.publish('devices/pump-7/state', 'still here')
    expect(interruptions).toEqual([])
    const { hostname, port } = new URL(brokerUrl)
    const next = connect({
      host: hostname,
      port: Number(port),
      ca: trust,
      key: identity.key,
      cert: identity.cert,
    })
    await new Promise((resolve, reject) => next.once('secureConnect', resolve).once('error', reject))
    const shown = next.getPeerX509Certificate()?.serialNumber ?? ''
    next.destroy()
    // On a slow machine there may have been another one by now.
    const renewed = [...broker.output().matchAll(new RegExp(renewal, 'g'))].map(([, serial]) => serial)
    expect(renewed).toContain(parseSerial(shown))
  } finally {
    await connection.close()
    est.close()
    desk.close()
  }
})
