/** `dbsync dead-letters write-again`: signs dead letters again, and sends them one after the other. */
import type { OutboxClient } from "../../client/outbox-client.js";
import type { ClientSettings } from "../../client/settings/client-settings.js";
import { realClientEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { readHello } from "../../client/version-2/single-hello.js";
import { shownLines } from "../../daemon/net/terminal/terminal-text.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type {
  DeadLetterEnvelope,
  DeadLetterOutcome,
  ListedDeadLetter,
  WaitingDeadLetters,
} from "../cli/folder/folder-dead-letters.js";
import type { Stranded } from "../cli/folder/stranded-dead-letters.js";
import { type ClientFlags, openFrom, readSettings } from "../cli/shared/client-options.js";
import { EXIT } from "../cli/shared/exit-codes.js";
import type { FolderFlags } from "../cli/shared/folder-options.js";
import { printJson, printLine } from "../cli/shared/output.js";
import { SHORT_DIGITS, unreadablePages } from "./format-dead-letters.js";

export type DeadLetterFlags = FolderFlags & { readonly json?: boolean };
type WriteFlags = DeadLetterFlags &
  ClientFlags & { readonly all?: boolean; readonly stranded?: boolean; readonly anyway?: boolean };

export const COMMAND_MS = 20_000;

export async function writeAgain(ids: readonly string[], flags: WriteFlags): Promise<void> {
  const isAll = flags.all === true || flags.stranded === true;
  if ((ids.length === 0) !== isAll)
    throw new DbsyncError("bad-option", "name dead letters by their ids, or add --all or --stranded");

  const settings = readSettings({ ...flags, timeout: flags.timeout ?? COMMAND_MS });
  const { client, key } = openFrom(settings);
  if (key.signer === null)
    throw new DbsyncError("bad-key", "dead letters must be signed again: specify a private key (-k)");

  const { writeDeadLettersAgain } = await import("../cli/folder/folder-dead-letters.js");
  const { strandedDeadLetters } = await import("../cli/folder/stranded-dead-letters.js");
  if (flags.stranded === true)
    reportStranded(flags, await strandedDeadLetters(flags, await clustersOf(settings)));

  const isAnyway = flags.anyway ?? false;
  const wanted = { ids: isAll ? null : ids, isAnyway };
  let count = 0;
  const waiting = await writeDeadLettersAgain(wanted, flags, async (deadLetter, id) => {
    count++;
    const sent = deadLetter === null ? UNREADABLE : await writeOne(client, deadLetter, isAnyway);
    reportSent(flags, deadLetter?.id ?? id, sent);
    return sent.outcome;
  });

  if (count === 0 && !flags.json) printLine("there is no waiting dead letter that is certain to be missing");
  if (isAll && waiting.count > 0) reportWaiting(flags, waiting);
}

/** Returns the clusters of the servers that answer. @throws DbsyncError  none answers */
async function clustersOf({ servers, timeout }: ClientSettings): Promise<ReadonlySet<ByteString>> {
  const greetings = await Promise.all(
    servers.map((server) => readHello(server, realClientEnvironment, timeout)),
  );
  const clusters = greetings.flatMap((greeting) => (greeting.kind === "hello" ? greeting.hello.cluster : []));
  const [first] = greetings;
  if (clusters.length === 0)
    throw new DbsyncError("all-failed", first?.kind === "failed" ? first.detail : "no server sent a hello");
  return new Set(clusters);
}

function reportStranded(flags: DeadLetterFlags, { kept, unread, ofRing, hasPruned }: Stranded): void {
  if (unread > 0 || hasPruned) process.exitCode = EXIT.failed;
  if (flags.json) {
    printJson({ kept, unread, ofRing, hasPruned });
    return;
  }

  printLine(`${kept} new dead ${kept === 1 ? "letter" : "letters"} of this folder`);
  if (ofRing > 0)
    printLine(
      `${ofRing} commands that change keys or members were left out: run them again if you need them`,
    );
  if (hasPruned)
    printLine(
      "the folder no longer contains its first writes (--retain): start its daemon alone to export its keys (dbsync export)",
    );
  if (unread > 0) printLine(unreadablePages(unread));
}

function reportWaiting(flags: DeadLetterFlags, { count, possible }: WaitingDeadLetters): void {
  process.exitCode = EXIT.failed;
  if (flags.json) printJson({ waiting: count, possible });
  else {
    const [letters, their] = count === 1 ? ["letter", "its"] : ["letters", "their"];
    const advice =
      possible === 0
        ? "run this command again; name those that are undecided, or that take what is there, with --anyway"
        : `of which ${possible} may be in the state: check ${their} keys (dbsync dead-letters list), then write by id with --anyway, or remove`;
    printLine(`${count} dead ${letters} still waiting${possible === 0 ? ": " : ", "}${advice}`);
  }
}

interface Sent {
  readonly outcome: DeadLetterOutcome;
  /** The answer, or the error. */
  readonly text: string;
}

async function writeOne(
  client: OutboxClient,
  { envelope }: ListedDeadLetter,
  isAnyway: boolean,
): Promise<Sent> {
  if (envelope === null) return UNREADABLE;
  if (envelope.choices.length > 0 && !isAnyway) return TAKES;

  const { commands, conditions, multi, isApart, units } = envelope;
  if (!isApart || multi || commands.length === 1) return await writeUnit(client, commands, multi, envelope);

  // The members decide on each unit.
  const texts: string[] = [];
  let first = 0;
  for (const [unit, length] of (units ?? commands.map(() => 1)).entries()) {
    const own = { ...envelope, conditions: conditions.filter((condition) => condition.unit === unit) };
    const { outcome, text } = await writeUnit(client, commands.slice(first, first + length), length > 1, own);
    if (outcome !== "written") return { outcome: unit === 0 ? outcome : "unknown", text };
    texts.push(text);
    first += length;
  }
  return { outcome: "written", text: texts.join(", ") };
}

async function writeUnit(
  client: OutboxClient,
  commands: DeadLetterEnvelope["commands"],
  multi: boolean,
  { db, conditions }: Pick<DeadLetterEnvelope, "db" | "conditions">,
): Promise<Sent> {
  try {
    const condition = conditions.length === 0 ? {} : { if: conditions };
    const isOne = commands.length === 1 && !multi;
    const reply: ReplyValue = isOne
      ? await client.call(commands[0] ?? [], { db, ...condition })
      : await client.multi(commands, { db, ...condition });
    return { outcome: "written", text: reply === null && conditions.length > 0 ? UNMET : replyText(reply) };
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    return { outcome: problem.effect === "not-applied" ? "unwritten" : "unknown", text: problem.message };
  }
}

function reportSent(flags: DeadLetterFlags, id: string, { outcome, text }: Sent): void {
  if (outcome !== "written") process.exitCode = EXIT.failed;
  if (flags.json) printJson({ id, outcome, text });
  else printLine(shownLines(`${id.slice(0, SHORT_DIGITS)} ${OUTCOMES[outcome]}: ${text}`));
}

function replyText(reply: ReplyValue): string {
  if (reply === null) return "(nil)";
  if (reply instanceof Error) return reply.message;
  return Array.isArray(reply) ? reply.map(replyText).join(", ") : String(reply);
}

const OUTCOMES = {
  written: "written again",
  unwritten: "not written",
  unknown: "may have been written; to send it again add --anyway",
} as const;
const UNMET = "(nil): nothing has changed if its condition was not met";
const TAKES = {
  outcome: "unwritten",
  text: "it takes what is there, and would now take something else than its client received: remove what it took (show) by name, such as with LREM, ZREM or XACK, or add --anyway",
} as const;
const UNREADABLE = {
  outcome: "unwritten",
  text: "its bytes are damaged; another copy may be in replaced/ in the data folder",
} as const;
