/** What a code always means: the HTTP status, what happened, and what to do about it. */
export interface ProblemKind {
  readonly status: number
  /** One sentence that is the same for every occurrence (RFC 9457 `title`). */
  readonly title: string
  /** What the reader of the message should do. */
  readonly fix: string
}
