// C1 controls (U+009B begins a terminal sequence as ESC [ does), line and paragraph separators, and what turns the
// direction of writing: none is escaped by JSON, and each lets who chose a topic or a name forge what a reader sees.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controls = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** Writes the controls that JSON leaves as they are as `\\u009b`: valid JSON still, one line, and harmless. */
export function escapeControls(line: string): string {
  return line.replace(controls, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
