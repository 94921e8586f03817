// What a terminal obeys instead of showing it: C0, DEL and C1 controls (U+009B begins a sequence as ESC [ does), line and
// paragraph separators, and whatever turns the direction of writing or is not seen at all.
const controls =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

const escaped = (control: string): string => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A text for one line of a terminal: whatever is in it, it can only be read. */
export function printable(text: string): string {
  return text.replace(controls, escaped)
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** JSON without controls; `indent` makes it readable. It stays the same value. */
export function printableJson(value: unknown, indent?: number): string {
  return printableLines(JSON.stringify(value, null, indent))
}
