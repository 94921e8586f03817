import { once } from 'node:events'
import { connect } from 'node:tls'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import type { IConnectPacket } from 'mqtt-packet'
import { WireClient } from './wire-client.ts'

/** A client that is connected to a broker; rejects when that does not let it in. `root`: the trust anchor, PEM. */
export async function joined(
  url: string,
  root: string,
  identity: KeyAndCertificate,
  packet: Partial<IConnectPacket>,
): Promise<WireClient> {
  const { hostname, port } = new URL(url)
  const tls = clientTlsOptions({ trust: [root], identity, mode: 'compatible' })
  const socket = connect({ ...tls, host: hostname, port: Number(port) })
  const client = new WireClient(socket)
  await once(socket, 'secureConnect')
  const { returnCode } = await client.connect(packet)
  if (returnCode !== 0) throw new Error(`CONNACK ${returnCode}`)
  return client
}
