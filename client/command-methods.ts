/**
 * Commands as methods: `client.get(key)` is `client.call(["GET", key])`, with the types of the command's arguments and
 * result (shared/commands.ts). Only `call` accepts options (`db`, `if`, `policy` and so on).
 */
import type { Argument } from "./shared/command-input.js";
import { type CommandMethods, methodNames } from "./shared/commands.js";
import type { ReplyValue } from "./shared/reply-value.js";

interface Caller {
  call(command: readonly Argument[]): Promise<ReplyValue>;
}

type Method = (this: Caller, ...argv: Argument[]) => Promise<ReplyValue>;

/** The prototypes that already have the methods. */
const withMethods = new WeakSet<object>();

/** Adds the methods to the client's class. Only `createClient` does this, so that `dbsyncSend` avoids the cost. */
export function withCommands<Client extends Caller>(client: Client): Client & CommandMethods {
  const { prototype } = client.constructor;
  if (!withMethods.has(prototype)) {
    withMethods.add(prototype);
    for (const name of methodNames()) {
      const method: Method = function (...argv) {
        return this.call([name, ...argv]);
      };
      Object.defineProperty(prototype, name.toLowerCase(), { value: method });
    }
  }
  return client as Client & CommandMethods;
}
