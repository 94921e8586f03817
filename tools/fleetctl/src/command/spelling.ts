/**
 * `; did you mean x?` for an error message, or nothing when no known word is near. Loaded when something is
 * misspelt: the rest of the package that knows how would double the time in which a command starts.
 */
export async function suggestion(word: string, known: readonly string[]): Promise<string> {
  const service = await import('@fleetroot/service')
  return service.suggestion(word, known)
}
