import { type Histogram, build } from 'hdr-histogram-js'

/** Percentiles in milliseconds, to the microsecond; all 0 while `count` is 0. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Collects latencies of one kind. */
export interface LatencyRecorder {
  /** Records `milliseconds`; above an hour it counts as an hour, below 0 as 0. */
  record(milliseconds: number): void
  percentiles(): Percentiles
}

const longestMicroseconds = 3_600_000_000

/** An empty recorder: HDR histogram in microseconds, 3 significant digits, of constant memory. */
export function createLatencyRecorder(): LatencyRecorder {
  const histogram: Histogram = build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: longestMicroseconds,
    numberOfSignificantValueDigits: 3,
  })
  // The histogram rounds up to the end of a bucket; the largest value is worth knowing exactly.
  let maxMicroseconds = 0

  const at = (percentile: number): number =>
    Math.min(histogram.getValueAtPercentile(percentile), maxMicroseconds) / 1_000

  return {
    record(milliseconds) {
      const microseconds = Math.min(longestMicroseconds, Math.max(0, Math.round(milliseconds * 1_000)))
      maxMicroseconds = Math.max(maxMicroseconds, microseconds)
      histogram.recordValue(microseconds)
    },
    percentiles: () =>
      histogram.totalCount === 0
        ? { count: 0, p50: 0, p90: 0, p99: 0, max: 0 }
        : {
            count: histogram.totalCount,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: maxMicroseconds / 1_000,
          },
  }
}
