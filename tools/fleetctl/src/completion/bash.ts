import { flagsWithValue, type PathRule, spellings } from './rules.ts'

/**
 * The script for bash. It needs nothing but bash: no bash-completion package, and no start of fleetctl for every
 * press of the key.
 */
export function bashScript(rules: readonly PathRule[]): string {
  return `# bash completion of fleetctl
_fleetctl() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} place='' word skip=''
${pathLoop('"${COMP_WORDS[@]:1:COMP_CWORD-1}"', rules)}
  COMPREPLY=()
  case "$previous" in
${valueCases(rules, { words: (text) => `mapfile -t COMPREPLY < <(compgen -W '${text}' -- "$current"); return`, paths: 'mapfile -t COMPREPLY < <(compgen -f -- "$current"); return', none: 'return' })}
  esac
  case "$place" in
${rules.map((rule) => pathCase(rule)).join('\n')}
  esac
}
complete -o filenames -F _fleetctl fleetctl
`
}

function pathCase({ path, words, flags, takesPath }: PathRule): string {
  const texts = [...words.map(({ word }) => word), ...flags.flatMap(spellings)]
  const files = takesPath ? ' -f' : ''
  return `    '${path}') mapfile -t COMPREPLY < <(compgen -W '${texts.join(' ')}'${files} -- "$current") ;;`
}

/** Walks the words before the cursor to the longest path that is a command or a group. */
export function pathLoop(words: string, rules: readonly PathRule[]): string {
  const paths = rules.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `  for word in ${words}; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case "$word" in
      ${flagsWithValue(rules).join('|')}) skip=yes; continue ;;
      -*) continue ;;
    esac
    case "\${place:+$place }$word" in
      ${paths.join('|')}) place="\${place:+$place }$word" ;;
    esac
  done`
}

/** One case for every flag that takes a value: what may stand behind it. */
export function valueCases(
  rules: readonly PathRule[],
  say: { words: (text: string) => string; paths: string; none: string },
): string {
  const flags = new Map(rules.flatMap(({ flags }) => flags.map((flag) => [flag.name, flag] as const)))
  return [...flags.values()]
    .filter(({ takesValue }) => takesValue)
    .map((flag) => {
      const { choices, isPath } = flag
      const then = choices.length > 0 ? say.words(choices.join(' ')) : isPath ? say.paths : say.none
      return `    ${spellings(flag).join('|')}) ${then} ;;`
    })
    .join('\n')
}
