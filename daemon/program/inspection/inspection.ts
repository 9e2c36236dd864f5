/**
 * Answers administrators' commands about the daemon itself in signed envelopes: INFO, CONFIG GET, CLIENT LIST and
 * SLOWLOG. They are answered before the databases, because the answers depend on the daemon and must not become part of
 * the fold. Source: docs/protocol-v2.md "The daemon itself".
 */

import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import {
  bulk,
  type ErrorReply,
  error,
  integer,
  map,
  OK,
  type Reply,
  verbatim,
} from "../../../protocol/reply.js";
import type { DaemonInspector } from "../../engine/pipeline/apply-units.js";
import { slowLogReply } from "../../engine/slow-log/slow-log.js";
import { nameOf, type OptionRow } from "../../options/option-row.js";
import { settingOf } from "../../options/read-settings.js";
import { isOwnMemory, type Settings } from "../../options/settings.js";
import { CommandFailure, notLoaded } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import type { KeyRecord, KeyRing } from "../../store/key-ring.js";
import { globMatches } from "../../store/patterns/glob.js";
import { type InspectedDaemon, OWN_SECTION } from "./inspected-daemon.js";

type Handler = (argv: readonly ByteString[], daemon: InspectedDaemon) => Reply | Promise<Reply>;

/** The names and the lengths of the commands, for a fast check of every received command. */
const NAMES = /^(?:info|config|client|slowlog)$/i;
const LENGTHS: ReadonlySet<number> = new Set([4, 6, 7]);

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["INFO", async (argv, daemon) => verbatim((await loadInfo()).daemonInfo(argv.slice(1), daemon))],
  ["CONFIG|GET", (argv, { settings }) => configValues(argv.slice(2), settings())],
  ["CLIENT|LIST", (_, daemon) => verbatim(clientList(daemon))],
  ["SLOWLOG|GET", (argv, { slowLog }) => slowLogReply(argv, slowLog)],
  ["SLOWLOG|LEN", (_, { slowLog }) => integer(slowLog.entries.length)],
  [
    "SLOWLOG|RESET",
    (_, { slowLog }) => {
      slowLog.reset();
      return OK;
    },
  ],
]);

/** Loads the code of INFO with the first such command. It changes nothing, so a failed import is an error answer. */
async function loadInfo(): Promise<typeof import("./daemon-info.js")> {
  try {
    return await import("./daemon-info.js");
  } catch (problem) {
    throw notLoaded("INFO", problem);
  }
}

/** The command that a key must be permitted to run. Redis's rules can restrict it to administrators, unlike INFO. */
const FOR_ADMINISTRATORS = ["CONFIG", "GET", "*"];
const DENIED: ErrorReply = error(
  "NOPERM this key may not run 'info' on the daemon itself: it is for administrators, whose rules allow 'config|get'",
);

export class Inspection implements DaemonInspector {
  readonly #daemon: InspectedDaemon;

  constructor(daemon: InspectedDaemon) {
    this.#daemon = daemon;
  }

  answer(argv: readonly ByteString[], signer: KeyRecord, ring: KeyRing): Reply | Promise<Reply> | null {
    const [name = ""] = argv;
    if (!LENGTHS.has(name.length) || !NAMES.test(name) || !this.#isForDaemon(argv)) return null;
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return null;
    const handler = HANDLERS.get(command.name);
    if (handler === undefined) return null;
    if (ring.judge(signer, [FOR_ADMINISTRATORS], { conditions: null }) !== null) return DENIED;

    try {
      const reply = handler(argv, this.#daemon);
      return reply instanceof Promise ? reply.catch(replyOf) : reply;
    } catch (failure) {
      return replyOf(failure);
    }
  }

  /** Whether the daemon itself answers a command, as always for INFO dbsync. Otherwise the Redis of -d answers. */
  #isForDaemon([, section = ""]: readonly ByteString[]): boolean {
    return isOwnMemory(this.#daemon.settings()) || section.toLowerCase() === OWN_SECTION;
  }
}

/** Returns the reply of a failed command. @throws unknown  any other problem */
function replyOf(failure: unknown): Reply {
  if (failure instanceof CommandFailure) return failure.reply;
  throw failure;
}

/** Returns a line for each client of all listeners, in the order of their connections. */
function clientList({ listeners, uptime }: InspectedDaemon): ByteString {
  const now = uptime();
  const seconds = (since: number) => Math.max(0, Math.floor((now - since) / 1000));
  return listeners()
    .flatMap(({ name, clients }) =>
      [...clients].map(({ remote, openedAt, activeAt, heldBytes, doing }) => {
        const times = `age=${seconds(openedAt)} idle=${seconds(activeAt)}`;
        const last = `name=${inLine(doing.name)} cmd=${inLine(doing.command) || "NULL"}`;
        return `addr=${remote} listener=${name} ${times} tot-mem=${heldBytes} ${last}\n`;
      }),
    )
    .join("");
}

/** Replaces characters of a label that would end its field, such as spaces. */
const inLine = (name: string): string => name.replace(/[^\x21-\x7e]/g, "_");

/**
 * Returns the current values of the daemon's options by their long names, as --check-config prints them. An option that
 * is not set is empty, and passwords of databases are left out.
 * @param patterns  glob patterns of the names
 */
function configValues(patterns: readonly ByteString[], settings: Settings): Reply {
  const wanted = patterns.map((pattern) => pattern.toLowerCase());
  const { names, rows } = settings.table;
  return map(
    names.flatMap((option) => {
      const { [option]: row } = rows;
      const name = nameOf(row);
      if (!wanted.some((pattern) => globMatches(pattern, name))) return [];
      return [bulk(name), bulk(bytesOfText(shownValue(row, settingOf(settings, option))))];
    }),
  );
}

function shownValue({ form }: OptionRow, value: unknown): string {
  if (value === null) return "";
  const shown = form.show(value);
  return typeof shown === "object" ? shown.join(",") : String(shown);
}
