import type { Duplex } from 'node:stream'

/** How long a refused client may take to read its CONNACK. */
const patienceMs = 2_000

/**
 * Answers a CONNECT with a refusal and closes the connection [MQTT-3.2.2-5], then calls `done`. aedes can
 * send the return codes 2 to 5 only, and only for a client that it has already set up.
 */
export function refuseConnect(stream: Duplex, returnCode: number, done: () => void): void {
  const timer = setTimeout(finish, patienceMs)
  stream.once('close', finish)
  stream.end(Buffer.from([0x20, 0x02, 0x00, returnCode]), finish)

  function finish(): void {
    clearTimeout(timer)
    stream.off('close', finish)
    done()
  }
}
