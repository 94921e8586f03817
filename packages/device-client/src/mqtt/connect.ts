import { DeviceConnection } from './connection.ts'
import type { MqttOptions } from './options.ts'

/**
 * Connects a device to its broker over mutual TLS and keeps it connected. The server's chain, validity and
 * name are verified in every full handshake, and nothing can switch that off. A resumed TLS session shows no
 * certificate: it stands for the handshake that it began with, and is resumed no longer than that certificate is valid.
 *
 * Throws DeviceClientError `url-invalid` or `option-invalid`, TlsConfigError if `trust` holds no CA, and, if
 * the first connection fails, `network-failed`, `tls-failed`, `timed-out`, `connect-refused` (the CONNACK
 * return code in `status`), `server-failed` or `connection-lost`; `connection-closed` when `signal` aborts.
 *
 * @example
 * const connection = await connectMqtt({ url: 'mqtts://localhost:8883', trust: [rootPem], identity })
 * await connection.publish(`devices/${connection.clientId}/telemetry/temperature`, '{"celsius":21.5}')
 * await connection.close()
 */
export async function connectMqtt(options: MqttOptions): Promise<DeviceConnection> {
  const connection = new DeviceConnection(options)
  await connection.start()
  return connection
}
