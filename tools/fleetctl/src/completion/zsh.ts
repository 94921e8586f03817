import { pathLoop, valueCases } from './bash.ts'
import { type PathRule, spellings } from './rules.ts'

/**
 * The script for zsh: to be sourced after compinit, or saved as `_fleetctl` in a directory of `fpath`. No variable of it
 * is called path or commands, which are zsh's own.
 */
export function zshScript(rules: readonly PathRule[]): string {
  return `#compdef fleetctl
_fleetctl() {
  local place='' word skip='' previous=\${words[CURRENT-1]}
  local -a below flags
${pathLoop('"${(@)words[2,CURRENT-1]}"', rules)}
  case "$previous" in
${valueCases(rules, { words: (text) => `compadd -- ${text}; return`, paths: '_files; return', none: 'return' })}
  esac
  case "$place" in
${rules.map(pathCase).join('\n')}
  esac
}
if [ "$funcstack[1]" = _fleetctl ]; then _fleetctl "$@"; else compdef _fleetctl fleetctl; fi
`
}

function pathCase({ path, words, flags, takesPath }: PathRule): string {
  const described = words.map(({ word, help }) => quoted(help === '' ? word : `${word}:${help}`))
  const names = flags.flatMap((flag) => spellings(flag).map((name) => quoted(`${name}:${flag.help}`)))
  return `    '${path}')
      below=(${described.join(' ')}); flags=(${names.join(' ')})
      if [[ $PREFIX == -* ]]; then _describe flag flags
      else _describe command below${takesPath ? '; _files' : ''}; fi ;;`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
