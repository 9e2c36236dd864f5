/** An envelope that held up all others, as the slow log keeps it: its first command, and how many more there are. */
import type { ByteString } from "../../protocol/byte-string.js";
import { readBody } from "../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import { resolveCommand } from "../../store/command-table.js";
import { withoutSecrets } from "./secrets.js";
import type { SlowLog } from "./slow-log.js";

export interface SlowEnvelope {
  /** As it came; it was found right. */
  readonly body: Buffer;
  /** Of the client, and of its key. */
  readonly remote: string;
  readonly name: ByteString;
  readonly milliseconds: number;
  /** The W3C trace context that its client sent; undefined: none. */
  readonly traceparent: string | undefined;
}

const MICROSECONDS = 1000;

/** @param now  milliseconds since 1970 @param most  how many are kept */
export function noteSlowEnvelope(
  slowLog: SlowLog,
  { body, remote, name, milliseconds, traceparent }: SlowEnvelope,
  { now, most }: { readonly now: number; readonly most: number },
): void {
  const { commands } = readBody(body);
  const [first = []] = commands;
  const command = resolveCommand(first);
  const shown = command instanceof CommandFailure ? first.slice(0, 1) : withoutSecrets(command, first);
  const more = commands.length - 1;
  const argv = more === 0 ? shown : [...shown, `(and ${more} more ${more === 1 ? "command" : "commands"})`];
  const at = Math.floor(now / 1000);
  const microseconds = Math.round(milliseconds * MICROSECONDS);
  slowLog.add({ at, microseconds, argv, remote, name, traceparent }, most);
}
