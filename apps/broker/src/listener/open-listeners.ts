import type { Policy } from '@fleetroot/policy'
import type { TlsMode } from '@fleetroot/tls-config'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { PeerVerdict } from '../admission/peer.ts'
import type { Listener, ListenerOptions } from './listener.ts'
import { listenMqtts } from './mqtts.ts'
import type { TrustedProxies } from './proxied.ts'
import { listenWss } from './wss.ts'

/** A listener that is to be. */
export interface ListenerPlan {
  /** For logs, metrics and messages; no two have the same. */
  readonly name: string
  readonly kind: 'mqtts' | 'wss'
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly mode: TlsMode
  /** For whoever comes through it; left out: the broker's. */
  readonly policy?: Policy | undefined
  /** Other processes listen there as well, and the kernel gives each connection to one of them (SO_REUSEPORT). */
  readonly isShared?: boolean | undefined
  /** Who may say, by the PROXY protocol, on whose behalf a connection comes; left out: nobody. */
  readonly proxies?: TrustedProxies | undefined
}

/** A listener that is. */
export interface Listening extends Pick<ListenerPlan, 'name' | 'kind' | 'host'> {
  /** The port taken. */
  readonly port: number
}

/** What all listeners share. */
export interface SharedOptions extends Omit<
  ListenerOptions,
  'name' | 'host' | 'port' | 'isShared' | 'tls' | 'admit' | 'proxies'
> {
  readonly admit: (socket: TLSSocket, listener: string) => PeerVerdict
  /** With the certificate and the CAs of this moment. */
  readonly tlsFor: (mode: TlsMode) => TlsOptions
  readonly maxFrameBytes: number
}

/** The listeners of a broker. */
export interface Listeners {
  readonly listening: readonly Listening[]
  /** Asks for the TLS options again, for new connections. */
  readonly renewContexts: () => void
  /** Stops listening; connections that are open stay. */
  readonly refuse: () => void
  /** As `Listener.setTicketKeys`, of all. */
  readonly setTicketKeys: (keys: Buffer) => void
  readonly close: () => Promise<void>
}

/** Opens them one after the other. Rejects with Node's error when one cannot be opened; the others are closed then. */
export async function openListeners(
  plans: readonly ListenerPlan[],
  shared: SharedOptions,
): Promise<Listeners> {
  const { tlsFor, admit } = shared
  const opened: { readonly plan: ListenerPlan; readonly listener: Listener }[] = []
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(({ listener }) => listener.close()))
  }
  try {
    for (const plan of plans) {
      const { name, kind, mode } = plan
      const listen = kind === 'mqtts' ? listenMqtts : listenWss
      const options = {
        ...shared,
        ...plan,
        tls: tlsFor(mode),
        admit: (socket: TLSSocket) => admit(socket, name),
      }
      opened.push({ plan, listener: await listen(options) })
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    listening: opened.map(({ plan: { name, kind, host }, listener }) => ({
      name,
      kind,
      host,
      port: listener.port,
    })),
    renewContexts: () => {
      for (const { plan, listener } of opened) listener.setSecureContext(tlsFor(plan.mode))
    },
    refuse: () => {
      for (const { listener } of opened) listener.refuse()
    },
    setTicketKeys: (keys) => {
      for (const { listener } of opened) listener.setTicketKeys(keys)
    },
    close,
  }
}
