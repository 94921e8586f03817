import { Readable } from 'node:stream'
import { TopicTree } from './topic-tree.ts'

/** A PUBLISH with the retain flag. */
interface RetainedMessage {
  readonly topic: string
  readonly payload: string | Uint8Array
}

/** The part of an aedes persistence that keeps retained messages. */
export interface RetainedStore {
  storeRetained(message: RetainedMessage): Promise<unknown>
  createRetainedStream(filter: string): Readable
  createRetainedStreamCombi(filters: string[]): Readable
}

/**
 * Puts a tree of topics in the place of the retained messages of a store. By itself aedes-persistence looks at each of
 * them for each filter of a SUBSCRIBE, and lets nobody else have a turn until it has found one that matches: with
 * 100,000 retained messages and 100 filters the whole broker stands still for seconds.
 *
 * A message that several filters of one SUBSCRIBE match is sent once.
 */
export function keepRetained(store: RetainedStore): void {
  const messages = new TopicTree<RetainedMessage>()

  store.storeRetained = async (message) => {
    // An empty one clears the topic [MQTT-3.3.1-10]. A copy: aedes goes on to change what it gives.
    if (message.payload.length === 0) messages.delete(message.topic)
    else messages.set(message.topic, { ...message })
  }
  store.createRetainedStreamCombi = (filters) => Readable.from(messages.match(filters))
  store.createRetainedStream = (filter) => Readable.from(messages.match([filter]))
}
