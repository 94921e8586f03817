/** What a device process is to do. */
export interface DeviceOrders {
  readonly id: string
  /** Its identity store. */
  readonly directory: string
  /** Trust anchors, a PEM file. */
  readonly trustFile: string
  /** Where it keeps the roots that it learns; left out: it learns none. */
  readonly anchorsFile?: string
  readonly estUrl: string
  /** For the first start. */
  readonly token?: string
  /** Instead of a token: it asks for the approval of an operator. */
  readonly approval?: boolean
  /** `mqtts://…` or `wss://…/mqtt`; left out: it enrolls and ends. */
  readonly mqttUrl?: string
  /**
   * `always`: keeps its certificate valid as long as it runs. `once`: ends when its certificate is not due for
   * renewal. Left out: never.
   */
  readonly renew?: 'always' | 'once'
}
