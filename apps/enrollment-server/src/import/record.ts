/** A row of a file as it was read: the values, or what is wrong with it. `line` is where it begins, from 1. */
export type FileRecord<Value> =
  | { readonly line: number; readonly value: Value }
  | { readonly line: number; readonly problem: string }

/** Takes rows out of text as it arrives. */
export interface RecordReader<Value> {
  push(text: string): FileRecord<Value>[]
  /** What is left at the end of the text. */
  end(): FileRecord<Value>[]
}

/** The longest row: one of a device with 32 names and 32 labels fits. */
export const longestRow = 32 * 1024

/** The rest of a file cannot be read: nothing that follows could be told apart. */
export class FileBroken extends Error {}
