/** Where a crowd connects to, and as whom. */
export interface CrowdOrders {
  readonly host: string
  readonly port: number
  /** Trust anchor, PEM. */
  readonly ca: string
  readonly members: readonly Member[]
}

/** One device of a crowd. */
export interface Member {
  readonly id: string
  /** PEM. */
  readonly key: string
  readonly cert: string
  /** Address of this machine that it comes from. */
  readonly localAddress: string
}

/** A connection that came to nothing, and why as its client sees it: a code of Node, or `CONNACK 5`. */
export interface Refusal {
  /** Milliseconds since all of them were told to come back. */
  readonly atMs: number
  readonly reason: string
}

/** How one device came back. */
export interface Return {
  /** Milliseconds from the order to CONNACK 0. */
  readonly backMs: number
  readonly refusals: readonly Refusal[]
}

/** What a process of a crowd is told. `storm`: all connections are cut and made anew at the same moment. */
export type CrowdCommand =
  | { readonly command: 'gather'; readonly orders: CrowdOrders; readonly atOnce: number }
  | { readonly command: 'storm' }

/** What it answers when it is done. */
export type CrowdAnswer =
  | { readonly done: 'gather' }
  | { readonly done: 'storm'; readonly returns: readonly Return[] }
  | { readonly done: 'failed'; readonly reason: string }
