// What a terminal obeys instead of showing it: C0, DEL and C1 controls (U+009B begins a sequence as ESC [ does), line and
// paragraph separators, and whatever turns the direction of writing or is not seen at all: formats, what is ignorable by
// default (tags of plane 14, variation selectors, fillers), and the Braille pattern without dots.
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** As JSON has it: two escapes for a character beyond the first 65,536. */
const escaped = (control: string): string =>
  Array.from(
    { length: control.length },
    (_, at) => `\\u${control.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')

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
