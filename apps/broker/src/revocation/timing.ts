/** How often and how long, in milliseconds. */
export interface FollowTiming {
  /** Between polls of the lists while the stream is open; a third of the time that may pass is random. */
  readonly pollMs: number
  /** The same while it is not. */
  readonly cutOffPollMs: number
  /** Before a poll that failed, or that left events missing, is repeated. */
  readonly repeatPollMs: number
  /** Silence after which the stream is taken for broken. */
  readonly silenceMs: number
}

export const defaultTiming: FollowTiming = {
  pollMs: 60_000,
  cutOffPollMs: 5_000,
  repeatPollMs: 1_000,
  silenceMs: 15_000,
}
