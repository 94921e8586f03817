/** Why a run cannot begin or go on; what happens to single devices is counted instead. */
export type SimulatorErrorCode =
  | 'report-unwritable'
  | 'server-missing'
  | 'server-not-ready'
  | 'server-foreign'
  | 'server-gone'
  | 'data-missing'
  | 'operator-refused'
  | 'service-identity-failed'
  | 'subscriber-failed'
  | 'interrupted'

/** The one error of the simulator. `message` is one sentence for the person at the keyboard. */
export class SimulatorError extends Error {
  override readonly name = 'SimulatorError'
  readonly code: SimulatorErrorCode

  constructor(code: SimulatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
