/** A process of a crowd: does what its parent says over IPC, and ends with it. */
import { type CrowdMember, crowdMember } from './member.ts'
import type { CrowdAnswer, CrowdCommand } from './orders.ts'

let members: readonly CrowdMember[] = []

async function gather({
  orders,
  atOnce,
}: Extract<CrowdCommand, { command: 'gather' }>): Promise<CrowdAnswer> {
  members = orders.members.map((member) => crowdMember(orders, member))
  const queue = [...members]
  const run = async (): Promise<void> => {
    for (let member = queue.pop(); member !== undefined; member = queue.pop()) await member.comeBack()
  }
  await Promise.all(Array.from({ length: atOnce }, run))
  return { done: 'gather' }
}

async function storm(): Promise<CrowdAnswer> {
  return { done: 'storm', returns: await Promise.all(members.map((member) => member.comeBack())) }
}

process.on('message', (message: CrowdCommand) => {
  void (message.command === 'gather' ? gather(message) : storm())
    .catch((error: unknown): CrowdAnswer => ({ done: 'failed', reason: String(error) }))
    .then((answer) => process.send?.(answer))
})
process.on('disconnect', () => process.exit())
