/**
 * Adds an entry to the slow log for an envelope whose execution took long, and thus delayed all other commands. The
 * entry contains the envelope's first command and the number of further commands.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import type { SlowLog } from "./slow-log.js";
import { withoutSecrets } from "./without-secrets.js";

export interface SlowEnvelope {
  /** The body as received; it has already been checked. */
  readonly body: Buffer;
  /** The client's address. */
  readonly remote: string;
  readonly name: ByteString;
  readonly milliseconds: number;
  /** The W3C trace context that the client sent; undefined if it sent none. */
  readonly traceparent: string | undefined;
}

const MICROSECONDS = 1000;

/** @param now  milliseconds since 1970 @param max  the maximum number of stored entries */
export function noteSlowEnvelope(
  slowLog: SlowLog,
  { body, remote, name, milliseconds, traceparent }: SlowEnvelope,
  { now, max }: { readonly now: number; readonly max: number },
): void {
  const { commands } = readBody(body);
  const [first = []] = commands;
  const command = commandTable.resolve(first);
  const shown = command instanceof CommandFailure ? first.slice(0, 1) : withoutSecrets(command, first);
  const more = commands.length - 1;
  const argv = more === 0 ? shown : [...shown, `(and ${more} more ${more === 1 ? "command" : "commands"})`];
  const at = Math.floor(now / 1000);
  const microseconds = Math.round(milliseconds * MICROSECONDS);
  slowLog.add({ at, microseconds, argv, remote, name, traceparent }, max);
}
