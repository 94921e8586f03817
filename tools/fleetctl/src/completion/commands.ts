import type { Command } from '../command/command.ts'

/** The command that prints completion scripts. */
export const completionCommands: readonly Command[] = [
  {
    path: ['completion'],
    summary: 'print the completion script of a shell',
    args: [{ name: 'SHELL', required: true, choices: ['bash', 'zsh', 'fish'] }],
    details:
      'bash: source <(fleetctl completion bash); zsh: source <(fleetctl completion zsh), after compinit; ' +
      'fish: fleetctl completion fish | source.',
    examples: [
      'source <(fleetctl completion bash)',
      'fleetctl completion fish > ~/.config/fish/completions/fleetctl.fish',
    ],
    load: async () => (await import('./print.ts')).printCompletion,
  },
]
