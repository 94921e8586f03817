import { flagsWithValue, type FlagRule, type PathRule } from './rules.ts'

/** The script for fish. */
export function fishScript(rules: readonly PathRule[]): string {
  const paths = rules.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `# fish completion of fleetctl
function __fleetctl_path
    set -l place ''
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        if contains -- $word ${flagsWithValue(rules).join(' ')}
            set skip yes
            continue
        end
        set -l next (string trim -- "$place $word")
        if contains -- $next ${paths.join(' ')}
            set place $next
        end
    end
    echo $place
end
function __fleetctl_at
    test (__fleetctl_path) = "$argv[1]"
end
complete -c fleetctl -f
${rules.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, words, flags, takesPath }: PathRule): string[] {
  const at = `complete -c fleetctl -n ${quoted(`__fleetctl_at '${path}'`)}`
  return [
    ...words.map(({ word, help }) => `${at} -a ${word}${help === '' ? '' : ` -d ${quoted(help)}`}`),
    ...flags.map((flag) => `${at} ${flagWords(flag)}`),
    ...(takesPath ? [`${at} -F`] : []),
  ]
}

function flagWords({ name, short, help, takesValue, choices, isPath }: FlagRule): string {
  const value =
    choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : isPath ? ' -r -F' : takesValue ? ' -x' : ''
  return `-l ${name}${short === undefined ? '' : ` -s ${short}`}${value} -d ${quoted(help)}`
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '\\$')}"`
}
