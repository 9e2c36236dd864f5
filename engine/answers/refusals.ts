/**
 * Every reason for which the daemon refuses a request: code → sentence, and for version 2, which can report it, its
 * effect and cure. Version 1 closes the connection, and the reason is in the log. The table of docs/protocol-v2.md says
 * the same.
 */
import { CONNECTION_REFUSALS } from "../../net/connections/connection-refusals.js";

/** Whether nothing of the request was or will be applied here; `varies`: each answer says. */
export type Effect = "not-applied" | "unknown" | "varies";

export interface Refusal {
  readonly sentence: string;
  /** For codes that version 2 sends to its clients. */
  readonly wire?: { readonly effect: Effect; readonly cure: string };
}

const never = (cure: string) => ({ effect: "not-applied", cure }) as const;
const unknown = (cure: string) => ({ effect: "unknown", cure }) as const;
const varies = (cure: string) => ({ effect: "varies", cure }) as const;

export const REFUSALS = {
  ...CONNECTION_REFUSALS,
  malformed: {
    ...CONNECTION_REFUSALS.malformed,
    wire: never("correct the client; detail and place are in the daemon's log"),
  },
  "not-due": {
    sentence: "The command is signed, and this daemon has no key: start it with -s public.pem.",
    wire: never("start the daemon with the client's public key, `-s`"),
  },
  unsigned: {
    sentence:
      "The command is not signed, and this daemon takes signed ones only: give the client the private key.",
    wire: never("sign it by a key that the daemon knows, and learn from its `hello` that it requires that"),
  },
  "unknown-key": {
    sentence: "The envelope's key is none of this cluster's.",
    wire: never("`-s` or `--root-key` of the daemons, or `KEY ADD`"),
  },
  "key-not-yet-valid": {
    sentence: "The envelope's key is not valid yet.",
    wire: never("wait; `KEY INFO` says from when on it is"),
  },
  "key-expired": {
    sentence: "The envelope's key is no longer valid.",
    wire: never("`KEY ADD` a new key"),
  },
  revoked: {
    sentence: "The envelope's key was revoked.",
    wire: never("`KEY ADD` a new key"),
  },
  "bad-signature": {
    sentence: "The signature belongs to none of this daemon's keys, or the command was changed on its way.",
    wire: never("sign with the key that the header names"),
  },
  "wrong-cluster": {
    sentence: "The envelope is meant for another cluster.",
    wire: never(
      "ask by `hello`, or correct the client's cluster; start all daemons with the same keys and name",
    ),
  },
  "wrong-daemon": {
    sentence: "The envelope is meant for one other daemon.",
    wire: never("send it to the daemon that `only` names"),
  },
  "not-a-daemon": {
    sentence: "Only daemons' keys may sign for another client (`as`).",
    wire: never("leave `as` out"),
  },
  "wrong-db": {
    sentence:
      "There is no such database: 0 to 15 with the memory database, 0 alone in front of a Redis server.",
    wire: never("correct `db`"),
  },
  "if-not-carried": {
    sentence: "Conditions need the memory database, and no other database at the daemon.",
    wire: never("leave `if` out, or start the daemon with `-d memory`"),
  },
  "not-alone": {
    sentence: "KEY and CLUSTER commands need envelopes of their own.",
    wire: never("send the other commands in another envelope"),
  },
  "ring-too-long": {
    sentence: "An envelope with KEY or CLUSTER commands has 256 KiB at most.",
    wire: never("send fewer commands in one envelope, or shorter rules"),
  },
  skew: {
    sentence: "The envelope is dated outside the window around this daemon's clock.",
    wire: varies("correct the offset by the clock reported here, and sign again"),
  },
  "too-old": {
    sentence: "The envelope is dated at or before the moment from which on this daemon takes envelopes.",
    wire: never("sign again"),
  },
  "catching-up": {
    sentence: "The daemon is not complete yet, and does not take this envelope.",
    wire: never("use another daemon, or sign again in some seconds"),
  },
  "answer-not-kept": {
    sentence: "The envelope was taken before, and its answer is no longer kept.",
    wire: unknown("look at what it has done"),
  },
  "over-rate": {
    sentence: "The key has sent more envelopes a second than it may.",
    wire: varies("wait, and sign again"),
  },
  "not-yet": {
    sentence: "The daemon does not hold what the envelope is to come after.",
    wire: never("use another daemon, or sign again later"),
  },
  "memory-full": {
    sentence: "The daemon can remember no further envelope (--max-remembered).",
    wire: unknown("wait; raise `--max-remembered`"),
  },
  "out-of-memory": {
    sentence: "The daemon uses as much memory as it may (--maxmemory), and the command may need more.",
    wire: varies("delete what is not needed, or raise `--maxmemory`, and sign again"),
  },
  "too-much": {
    sentence:
      "The commands would produce or go through more than this daemon does in one step (--max-unit-steps).",
    wire: never("do it in parts, or raise `--max-unit-steps`"),
  },
  "only-for-reads": {
    sentence:
      "`only` is for envelopes that read: this daemon records writes, for its peers or in its own folder.",
    wire: never("leave `only` out"),
  },
  "clock-off": {
    sentence: "This daemon's clock is off those of the other daemons, so it takes nothing that writes.",
    wire: never("use another daemon; set that daemon's clock"),
  },
  "daemon-revoked": {
    sentence:
      "This daemon's own key was revoked: it is no member any more, and takes nothing that writes, as it would reach no other daemon.",
    wire: never("use another daemon; start that one with a new `--data` folder, or stop it"),
  },
  "not-listed": {
    sentence:
      "The cluster's list of members does not name this daemon, so it takes nothing that writes, as it would reach no other.",
    wire: never(
      "use another daemon; `dbsync members add` that one, with a new `--data` folder if it was left out",
    ),
  },
  "semantics-unknown": {
    sentence:
      "The release that this daemon runs does not know the version of what commands mean (CLUSTER SEMANTICS), so it takes and answers nothing by it.",
    wire: never("use another daemon; upgrade that one"),
  },
  "storage-failed": {
    sentence: "The data folder cannot be written; the daemon accepts nothing until it is restarted.",
    wire: varies("use another daemon; see that daemon's log"),
  },
  "order-unavailable": {
    sentence:
      "The stream that orders the writes (--order) cannot be reached, or cannot be read on; nothing is written without it.",
    wire: varies("use another daemon; see that daemon's log, and how NATS is"),
  },
  "order-too-long": {
    sentence: "The envelope is longer than the NATS server of --order takes in one message (max_payload).",
    wire: never("send less in one envelope, or raise `max_payload`"),
  },
  "events-not-taken": {
    sentence:
      "The client does not read the events that it asked for as fast as they come (--max-event-bytes).",
    wire: never("connect again, and ask for less, or read faster"),
  },
  "no-longer-permitted": {
    sentence: "The client's key is no longer permitted to receive these events.",
    wire: never("`KEY RULES`, or listen by another key"),
  },
  "cannot-wait": {
    sentence:
      "There is nothing to wait for: the envelope does not write, or the daemon has no timeline (--data, --peer).",
    wire: never("leave the option out, or start the daemon with `--data` or `--peer`"),
  },
  "too-few-daemons": {
    sentence:
      "The answer is to wait for more daemons than this one knows in its cluster, itself among them (--peer).",
    wire: never("ask for fewer; see which daemons there are"),
  },
  "not-stable": {
    sentence: "The envelope was applied, but the order up to it did not become final in time.",
    wire: unknown("look at what it has done; see which daemon is away"),
  },
  "not-replicated": {
    sentence: "The envelope was applied, but not as many daemons as wanted had it on disk in time.",
    wire: unknown("look at what it has done; see which daemon is away"),
  },
  "database-down": {
    sentence: "A database cannot be reached; the command was not sent to it.",
    wire: varies("see the daemon's log"),
  },
  "database-lost": {
    sentence: "The connection to a database broke; whether it executed the command is not known.",
    wire: unknown("look at what it has done"),
  },
  "database-timeout": {
    sentence:
      "A database did not answer in time (--backend-timeout); whether it executed the command is not known.",
    wire: unknown("look at what it has done"),
  },
  "too-much-behind": {
    sentence: "More than --max-query-bytes stand behind a command of a RESP client that waits for data.",
  },
  "version-1-off": {
    sentence: "The client speaks version 1, and this daemon takes version 2 only (--require, --v1).",
  },
  "not-permitted": { sentence: "The key's rules do not permit the command, or version 1 does not carry it." },
  "not-let-in": {
    sentence:
      "Writes are disabled: this daemon's own key, which signs for clients that do not sign, is not authorized.",
  },
  "empty-command": { sentence: "The command is empty." },
  "too-many-arguments": { sentence: "The command has more arguments than any command needs." },
  "command-too-long": {
    sentence:
      "The command is longer than --max-request-bytes can be, once it is signed for the other daemons.",
  },
  "not-carried": {
    sentence: "The command needs a connection of its own, which dbsync does not keep for a client.",
  },
  "command-error": { sentence: "A database answered with an error." },
  "wrong-origin": {
    sentence: "A browser's page of another site wants to connect: its site is to be named (--ws-origin).",
  },
  idle: { sentence: "No whole request came within --idle-timeout." },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;
