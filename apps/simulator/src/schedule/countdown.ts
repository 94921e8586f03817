/** A promise of the moment in which `step` was called `steps` times; at once for 0. */
export function countdown(steps: number): { readonly done: Promise<void>; step(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = steps
  if (left <= 0) resolve()
  return {
    done: promise,
    step() {
      left--
      if (left === 0) resolve()
    },
  }
}
