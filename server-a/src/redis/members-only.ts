import type { Command, Redis } from 'ioredis';

/**
 * Takes a node's answer that no slot is served anywhere for no answer. A node that was reset, or replaced under its old
 * address, knows of no cluster. ioredis believes whichever node it asks, and would end the connections to all others.
 */
export function believeMembersOnly(node: Pick<Redis, 'duplicate'>): void {
  const duplicate = node.duplicate.bind(node);
  // ioredis asks for slots on a connection of its own.
  node.duplicate = (override) => {
    const copy = duplicate(override);
    const send = copy.sendCommand.bind(copy);
    copy.sendCommand = (command, stream) => {
      if (command.name === 'cluster') refuseEmpty(command);
      return send(command, stream);
    };
    return copy;
  };
}

function refuseEmpty(command: Command): void {
  const { resolve } = command;
  command.resolve = (result) => {
    if (Array.isArray(result) && result.length === 0) command.reject(new Error('the node knows no slots'));
    else resolve(result);
  };
}
