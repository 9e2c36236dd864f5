/** Runs a command that may wait: at once if there is something, else when there is. Texts: redis-server 7.0. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulk, error, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { findCommand } from "../../../../store/command-table.js";
import { XREADGROUP_OUTLOOK } from "../../../../store/commands/streams/group-reads.js";
import { Database } from "../../../../store/database.js";
import type { Command } from "../../../../store/rows/command.js";
import type { CommandPath, CommandSender } from "../../../users/command-path.js";
import { WAIT_SHAPES, type WaitShape, type WaitShapeOf, withLastIds } from "./wait-shapes.js";
import { isNothing, OVERDUE, type WaitingClients } from "./waiting.js";

/** For whom CLIENT UNBLOCK ends the waiting with an error. */
export const UNBLOCKED = error("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/** Always empty: says what is wrong with a command before anybody waits. */
const EMPTY = new Database({ databases: 1 });

/** Who may wait. */
export interface WaitingSender extends CommandSender {
  /** Ends the waiting; null: it does not wait. @returns whether that could still be done */
  waiting: ((how: "timeout" | "error") => boolean) | null;
  /** Called when what it waited for has come. */
  whenServed: (() => void) | null;
  /** Called when it begins to wait after all, which took longer than the turn in which the command was served. */
  readonly waitsLate: (() => void) | null;
}

export function mayWait({ name }: Command): boolean {
  return Object.hasOwn(WAIT_SHAPES, name);
}

export function runOrWait(
  { path, waiters }: { readonly path: CommandPath; readonly waiters: WaitingClients },
  command: Command,
  argv: readonly ByteString[],
  sender: WaitingSender,
): Reply | Promise<Reply> {
  const isOfGroup = command.name === "XREADGROUP";
  // What is wrong with a group is known only where that is.
  const mistake = isOfGroup ? NIL_ARRAY : EMPTY.run(command, argv, { at: 0, db: 0, id: "" });
  if (mistake.kind === "error") return mistake;
  const wait = () => {
    const called = command.name === "XREAD" ? withLastIds(argv, (key) => lastId(path, key, sender)) : argv;
    const shape = WAIT_SHAPES[command.name]?.(called) ?? null;
    if (shape === null) return mistake;
    return new Promise<Reply>((resolve) => {
      const { db } = sender;
      const end = waiters.add({
        ...{ command, shape, sender, db },
        resolve: (reply) => {
          sender.waiting = null;
          if (reply !== OVERDUE) sender.whenServed?.();
          sender.whenServed = null;
          resolve(reply);
        },
      });
      sender.waiting = (how) => end(how === "error" ? UNBLOCKED : OVERDUE);
    });
  };
  const waitLate = () => {
    const waited = wait();
    sender.waitsLate?.();
    return waited;
  };
  // Where it would be recorded, a command that finds nothing is not worth a record.
  if (path.records && isOfGroup) {
    const outlook = path.execute(XREADGROUP_OUTLOOK, argv, sender);
    if (!(outlook instanceof Promise) && outlook.kind === "error") return outlook;
    if (!(outlook instanceof Promise) && isNothing(outlook)) return wait();
  } else if (path.records && command.writes && isEmpty(path, command, argv, sender)) return wait();
  const reply = path.execute(command, argv, sender);
  if (reply instanceof Promise) return reply.then((settled) => (isNothing(settled) ? waitLate() : settled));
  return isNothing(reply) ? wait() : reply;
}

function isEmpty(
  path: CommandPath,
  { name }: Command,
  argv: readonly ByteString[],
  sender: CommandSender,
): boolean {
  const { keys } = (WAIT_SHAPES[name] as WaitShapeOf)(argv) as WaitShape;
  const reply = path.execute(findCommand("EXISTS") as Command, ["EXISTS", ...keys], sender);
  return !(reply instanceof Promise) && reply.kind === "integer" && reply.value === 0;
}

function lastId(path: CommandPath, key: ByteString, sender: CommandSender): ByteString {
  const info = path.execute(findCommand("XINFO|STREAM") as Command, ["XINFO", "STREAM", key], sender);
  if (info instanceof Promise || info.kind !== "map") return "0-0";
  const at = info.items.findIndex((item) => item.kind === "bulk" && item.bytes === "last-generated-id");
  const id = info.items[at + 1] ?? bulk("0-0");
  return id.kind === "bulk" ? id.bytes : "0-0";
}
