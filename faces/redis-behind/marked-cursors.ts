/**
 * Marks the cursors that a daemon's Redis returns. A cursor is valid only on the Redis that issued it: each Redis
 * hashes names with its own secret, so a scan that continued on another daemon's Redis would skip keys. Therefore
 * clients receive the server's cursor combined with the number of this daemon's process, and a cursor with a different
 * number is an error.
 */

import type { Outcome } from "../../daemon/engine/backends/backend.js";
import { INVALID_CURSOR } from "../../daemon/engine/backends/scan-cursor.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { cursorTag } from "../../daemon/store/values/tables/name-hash.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import type { Argv } from "./redis-link.js";

/** The upper bound of the server's own cursors: they are smaller than the number of slots in a hash table. */
const OWN = 2n ** 34n;
/**
 * The upper bound of marked cursors, because some clients read cursors as doubles. A larger cursor comes from another
 * server, and is forwarded unchanged.
 */
const MARKED = 2n ** 53n;
const CURSOR = /^\d{1,20}$/;
const TOO_LARGE = error("ERR the cursor of this server cannot be forwarded: scan the server directly");

const cursorAt = (argv: Argv): number | undefined => findCommand(argv[0] as ByteString)?.cursorAt;
export const isScan = (argv: Argv): boolean => cursorAt(argv) !== undefined;

/** Sends a scan with the server's own cursor, and marks the cursor in its reply. */
export async function sendScan(
  argv: Argv,
  send: (own: Argv) => Outcome | Promise<Outcome>,
): Promise<Outcome> {
  const own = ownScan(argv);
  return "kind" in own ? own : markedIn(await send(own));
}

/** Sends several commands that share one reply, and marks the cursors in it. */
export async function sendScans(
  commands: readonly Argv[],
  send: (own: readonly Argv[]) => Promise<Outcome>,
): Promise<Outcome> {
  const all: Argv[] = [];
  for (const argv of commands) {
    const own = isScan(argv) ? ownScan(argv) : argv;
    if ("kind" in own) return own;
    all.push(own);
  }
  const outcome = await send(all);
  if (outcome.kind !== "array") return outcome;
  return array(outcome.items.map((reply, i) => (isScan(commands[i] as Argv) ? markedIn(reply) : reply)));
}

/** Returns the command with the server's own cursor, or an error if the cursor was issued by another process. */
function ownScan(argv: Argv): Argv | ErrorReply {
  const index = cursorAt(argv) as number;
  const cursor = argv[index];
  if (cursor === undefined || !CURSOR.test(cursor)) return argv;
  const value = BigInt(cursor);
  if (value === 0n || value >= MARKED) return argv;
  if (value / OWN !== mark()) return INVALID_CURSOR;
  return [...argv.slice(0, index), String(value % OWN), ...argv.slice(index + 1)];
}

function markedIn<Answer extends Outcome>(outcome: Answer): Answer | Reply {
  const [next, found] = outcome.kind === "array" ? outcome.items : [];
  if (next?.kind !== "bulk" || found === undefined || !CURSOR.test(next.bytes)) return outcome;
  const value = BigInt(next.bytes);
  if (value === 0n || value >= MARKED) return outcome;
  return value >= OWN ? TOO_LARGE : array([bulk(String(mark() * OWN + value)), found]);
}

/** Returns the number of this process, from 1 to 2^19 - 1. */
const mark = (): bigint => BigInt(cursorTag() >>> 1 || 1);
