import { randomBytes } from 'node:crypto';
import { toHeaders } from '../../contracts/cloud-event.ts';
import {
  CONTROL_TYPE,
  type ControlCommand,
  controlCommand,
  type Instruction,
} from '../../contracts/control.ts';
import { type Producer } from '../../platform/kafka/port.ts';

interface From {
  actor: ControlCommand['actor'];
  by?: string | undefined;
  /** The epoch in which the sender decided, if the command is only valid in that epoch. */
  under?: number | undefined;
}

export function newCommand({ actor, by, under }: From, instruction: Instruction): ControlCommand {
  return controlCommand.parse({
    version: 1,
    kind: 'command',
    id: randomBytes(16).toString('hex'),
    at: Date.now(),
    actor,
    ...(by === undefined ? {} : { by }),
    ...(under === undefined ? {} : { under }),
    instruction,
  });
}

/** Resolves when Kafka has the command: the current or the next leader will process it. */
export async function sendCommand(producer: Producer, topic: string, command: ControlCommand): Promise<void> {
  const headers = toHeaders({ id: command.id, type: CONTROL_TYPE, source: command.actor });
  await producer.send({ topic, key: command.id, value: JSON.stringify(command), headers });
}
