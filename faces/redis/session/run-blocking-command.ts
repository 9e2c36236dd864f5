/** Runs a command that may wait: immediately if there is data, otherwise when data arrives. Texts: redis-server 7.0. */

import type {
  CommandSender,
  LocalData,
  ReplyWaiter,
  WaitingSender,
} from "../../../daemon/engine/backends/command-path.js";
import { answerWhenClosed, isFollowing, openPart } from "../../../daemon/engine/backends/followed-streams.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import type { Command, WaitShape } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { XREADGROUP_PREVIEW } from "../store/commands/streams/group-reads.js";
import type { RespServer } from "./resp-server.js";
import { isNil, lastId, TIMED_OUT, type WaitingClients, type WaitRequest } from "./waiting-clients.js";

/** The reply to a waiting client that CLIENT UNBLOCK ends with an error. */
export const UNBLOCKED = error("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/** An empty database, which reports the mistakes in a command before the client waits. */
const EMPTY = new Database({ databases: 1 });

/** A sender that may wait for data. */
export interface BlockableSender<Waiter extends ReplyWaiter> extends WaitingSender<Waiter> {
  /** Ends the wait; null if the sender does not wait. @returns whether it was still waiting */
  waiting: ((outcome: "timeout" | "error") => boolean) | null;
  /** Called when the awaited data has arrived. */
  whenServed: (() => void) | null;
  /** Called when the wait begins in a later turn than the command. */
  readonly onLateWait: (() => void) | null;
}

export function runOrWait<Waiter extends ReplyWaiter>(
  server: RespServer,
  command: Command,
  argv: readonly ByteString[],
  sender: BlockableSender<Waiter>,
): Reply | Promise<Reply> | Waiter {
  const { path } = server;
  const { localData } = path;
  // A command that is only forwarded never waits here, and its first reply is the client's.
  if (localData === null) return path.send(command, argv, sender);
  if (path.records) return runAndRecordOrWait(server, localData, command, argv, sender);

  // The command runs in memory, so the reply is available immediately. It is an error if the command has a mistake.
  const reply = path.execute(command, argv, sender) as Reply;
  if (!isNil(reply)) return reply;

  const shape = shapeOf(localData, command, argv, sender);
  if (shape === null) return reply;

  const waiter = sender.waiter();
  wait(server.waitingClients, { command, shape, localData, isLate: false }, sender, (answer) =>
    waiter.answered(answer),
  );
  return waiter;
}

function runAndRecordOrWait<Waiter extends ReplyWaiter>(
  { path, waitingClients }: RespServer,
  localData: LocalData,
  command: Command,
  argv: readonly ByteString[],
  sender: BlockableSender<Waiter>,
): Reply | Promise<Reply> {
  const isOfGroup = command.name === "XREADGROUP";
  // XREADGROUP is checked later, because the empty database has no groups.
  const mistake = isOfGroup ? NIL_ARRAY : EMPTY.run(command, argv, { at: 0, db: 0, id: "" });
  if (mistake.kind === "error") return mistake;

  const waitFor = (isLate = false) => {
    const shape = shapeOf(localData, command, argv, sender);
    if (shape === null) return path.whenSafe(mistake);
    return new Promise<Reply>((resolve) =>
      wait(waitingClients, { command, shape, localData, isLate }, sender, resolve),
    );
  };

  const waitLate = () => {
    const waited = waitFor(true);
    sender.onLateWait?.();
    return waited;
  };
  // Do not record a command that finds nothing: the entry would be useless.
  if (isOfGroup) {
    const preview = localData.inspect(XREADGROUP_PREVIEW, argv, sender);
    if (!(preview instanceof Promise) && preview.kind === "error") return path.whenSafe(preview);
    if (!(preview instanceof Promise) && isNil(preview)) return waitFor();
  } else if (command.writes && isEmpty(localData, command, argv, sender)) return waitFor();
  const reply = localData.inspect(command, argv, sender);
  if (reply instanceof Promise) return reply.then((settled) => (isNil(settled) ? waitLate() : settled));
  if (isNil(reply)) return waitFor();

  const { closedDates } = localData;
  if (closedDates === null || !isFollowing(command)) return path.whenSafe(reply);

  if (shapeOf(localData, command, argv, sender) === null) {
    const read = () => localData.inspect(command, argv, sender) as Reply;
    const open = answerWhenClosed(closedDates, reply, read, sender.lastWrite);
    return open instanceof Promise ? open.then((settled) => path.whenSafe(settled)) : path.whenSafe(open);
  }

  const { reply: open, awaited } = openPart(reply, closedDates.closedTo(), closedDates.newest);
  if (awaited === null) return path.whenSafe(reply);
  // A client that waits for data also waits until the other daemons have closed the dates of the first entries.
  if (isNil(open)) return waitFor(true);

  closedDates.close(awaited, () => {});
  return path.whenSafe(open);
}

/** Returns what a call waits for, or null if it does not wait. */
function shapeOf(
  localData: LocalData,
  { waitsFor }: Command,
  argv: readonly ByteString[],
  sender: CommandSender,
): WaitShape | null {
  return waitsFor?.shapeOf(argv, (key) => lastId(localData, key, sender)) ?? null;
}

/** Begins to wait. @param resolve  receives the reply in a later call */
function wait<Waiter extends ReplyWaiter>(
  waitingClients: WaitingClients,
  { command, shape, localData, isLate }: Pick<WaitRequest, "command" | "shape" | "localData" | "isLate">,
  sender: BlockableSender<Waiter>,
  resolve: (reply: Reply) => void,
): void {
  const { db } = sender;
  const answered = (reply: Reply): void => {
    sender.waiting = null;
    if (reply !== TIMED_OUT) sender.whenServed?.();
    sender.whenServed = null;
    resolve(reply);
  };
  const end = waitingClients.add({ command, shape, localData, isLate, sender, db, resolve: answered });
  sender.waiting = (outcome) => end(outcome === "error" ? UNBLOCKED : TIMED_OUT);
}

function isEmpty(
  localData: LocalData,
  command: Command,
  argv: readonly ByteString[],
  sender: CommandSender,
): boolean {
  const { keys } = shapeOf(localData, command, argv, sender) as WaitShape;
  const reply = localData.inspect(findCommand("EXISTS") as Command, ["EXISTS", ...keys], sender);
  return !(reply instanceof Promise) && reply.kind === "integer" && reply.value === 0;
}
