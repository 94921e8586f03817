/** Lets a test send as fast as it can. */
export const noRates = {
  messageRate: { perSecond: 1e9, burst: 1e9 },
  filterRate: { perSecond: 1e9, burst: 1e9 },
  byteRate: { perSecond: 1e12, burst: 1e12 },
}
