/**
 * Every reason for which the daemon refuses a request, with a code and a sentence. Reasons that version 2 sends to its
 * clients also have an effect and a cure, as in the table of docs/protocol-v2.md. With version 1 the daemon logs the
 * reason and closes the connection.
 */
import { CONNECTION_REFUSALS } from "../../net/connections/connection-refusals.js";

/**
 * The effect of a refused request. `not-applied` means that the daemon has applied no part of the request, and never
 * will. `varies` means that each answer states the effect.
 */
export type Effect = "not-applied" | "unknown" | "varies";

export interface Refusal {
  readonly sentence: string;
  /** Set for codes that version 2 sends to its clients. `cure` is a clause without a period, for users. */
  readonly wire?: { readonly effect: Effect; readonly cure: string };
}

const never = (cure: string) => ({ effect: "not-applied", cure }) as const;
const unknown = (cure: string) => ({ effect: "unknown", cure }) as const;
const varies = (cure: string) => ({ effect: "varies", cure }) as const;

export const REFUSALS = {
  ...CONNECTION_REFUSALS,
  malformed: {
    ...CONNECTION_REFUSALS.malformed,
    wire: never(
      "see the daemon's log, which says what is wrong, and where: a command may be longer than it accepts (--max-request-bytes); otherwise update the client or the daemon",
    ),
  },
  "other-protocol": {
    sentence: "The hello is not one that this release reads.",
    wire: never("install the same version of dbsync on both sides"),
  },
  "not-due": {
    sentence: "The command is signed, and this daemon has no key.",
    wire: never("start the daemon with this key's public half (-s), or do not sign"),
  },
  unsigned: {
    sentence: "The command is not signed, and this daemon accepts only signed commands.",
    wire: never("specify the private key (-k, the option key, DBSYNC_SIGNKEY, dbsync.signkey)"),
  },
  "login-required": {
    sentence: "The daemon has users and no keys, so it executes no commands of clients that do not log in.",
    wire: never(
      "use a port on which clients log in, such as that of --resp; or start the daemon with keys (-s), or with --allow-unsigned",
    ),
  },
  "unknown-key": {
    sentence: "The envelope's key does not belong to this cluster.",
    wire: never(
      'compare the fingerprint that dbsync doctor shows with dbsync keys list, or with what the daemon was started with (-s, --root-key; "key accepted" in its log)',
    ),
  },
  "key-not-yet-valid": {
    sentence: "The envelope's key is not valid yet.",
    wire: never("wait, or set this daemon's clock by NTP"),
  },
  "key-expired": {
    sentence: "The envelope's key is no longer valid.",
    wire: never("add a new one (dbsync keys add)"),
  },
  revoked: {
    sentence: "The envelope's key was revoked.",
    wire: never("generate a new pair (dbsync-keygen), and add it (dbsync keys add)"),
  },
  "bad-signature": {
    sentence: "The signature matches none of this daemon's keys, or the command was changed in transit.",
    wire: never(
      "look for a program that changes commands on their way, or use TLS (dbsyncs://); sign with the key that the header names",
    ),
  },
  "wrong-cluster": {
    sentence: "The envelope is meant for another cluster.",
    wire: never(
      "start all daemons with the same -s, --root-key and --cluster-name, or correct the option cluster",
    ),
  },
  "wrong-daemon": {
    sentence: "The envelope is meant for another daemon.",
    wire: never("send it to the daemon that the option only names"),
  },
  "not-a-daemon": {
    sentence: "Only daemons' keys may sign for another client (`as`).",
    wire: never("sign with a daemon's key, or only for yourself"),
  },
  "wrong-db": {
    sentence: "There is no such database: the memory database has 0 to 15, a Redis server only 0.",
    wire: never("specify a database that exists (db)"),
  },
  "if-not-carried": {
    sentence: "Conditions require that the memory database is the daemon's only database.",
    wire: never("leave the option if out, or start the daemon with -d memory"),
  },
  "not-alone": {
    sentence: "KEY and CLUSTER commands need their own envelope.",
    wire: never("send KEY and CLUSTER commands separately, not in one multi"),
  },
  "ring-too-long": {
    sentence: "An envelope with KEY or CLUSTER commands may have at most 256 KiB.",
    wire: never("change fewer keys in one step, or define fewer rules for them"),
  },
  skew: {
    sentence: "The envelope is dated outside the window around this daemon's clock.",
    wire: varies("set both clocks by NTP"),
  },
  "too-old": {
    sentence: "The envelope is dated at or before the time from which this daemon accepts envelopes.",
    wire: never("try again; if it fails again, set both clocks by NTP"),
  },
  "catching-up": {
    sentence: "The daemon is not complete yet, and does not accept this envelope.",
    wire: never("use another daemon, or try again in a few seconds"),
  },
  "answer-not-kept": {
    sentence: "The envelope was accepted before, and its answer is no longer stored.",
    wire: unknown("check the effect of the command"),
  },
  "over-rate": {
    sentence: "The key has sent more envelopes a second than it may.",
    wire: varies(
      "wait, or generate a new pair, add it with a higher --rate (dbsync keys add), and revoke this one",
    ),
  },
  "not-yet": {
    sentence: "The daemon does not have the envelope that this one must follow.",
    wire: never("use another daemon, or try again later"),
  },
  "cannot-decide": {
    sentence:
      "The daemon cannot take part in a decision on this envelope: it knows no list of members, does not vote yet or any longer, is not connected to a majority of the members or has received nothing from one for some seconds, units of its key that wait for a decision use the key's share of the room, or a unit that writes decided keys also takes elements of other keys.",
    wire: never(
      "send it to the members of the list, or try again later; send fewer units of one key at the same time; take elements of other keys in a separate unit",
    ),
  },
  "needs-decision": {
    sentence:
      "The members are going to decide on writes to these keys (CLUSTER DECIDE), and not all of them know it yet.",
    wire: never("try again in a minute, or request a decision (decide)"),
  },
  undecided: {
    sentence: "The members of the list have not decided on this envelope in time.",
    wire: unknown("check the effect of the command; if it happens often, a majority of the members is down"),
  },
  "memory-full": {
    sentence: "The daemon can remember no further envelope (--max-remembered).",
    wire: unknown("wait, or raise the daemon's --max-remembered"),
  },
  "out-of-memory": {
    sentence: "The daemon uses as much memory as it may (--maxmemory), and the command may need more.",
    wire: varies("delete data that you do not need, or raise the daemon's --maxmemory"),
  },
  "too-much": {
    sentence:
      "The commands would read or produce more than this daemon processes in one step (--max-unit-steps).",
    wire: never(
      "split the command, or raise the daemon's --max-unit-steps; what the members of a list decide has a fixed limit",
    ),
  },
  "working-memory": {
    sentence: "The query needs more memory than this daemon grants a query, which is half of --work-memory.",
    wire: never("select, sort or join less, or raise the daemon's --work-memory"),
  },
  "working-memory-busy": {
    sentence: "Other queries used this daemon's --work-memory until --work-wait had passed.",
    wire: never("try again, or use another daemon; if it happens often, raise the daemon's --work-memory"),
  },
  "only-for-reads": {
    sentence:
      "`only` is for envelopes that read: this daemon records writes, for its peers or in its own folder.",
    wire: never("leave out the option only, which is for commands that read"),
  },
  "clock-off": {
    sentence: "This daemon's clock differs from the clocks of the other daemons, so it accepts no writes.",
    wire: never("use another daemon, and set this daemon's clock by NTP"),
  },
  "daemon-revoked": {
    sentence:
      "This daemon's own key was revoked: it is no longer a member, and accepts no writes, because they would reach no other daemon.",
    wire: never("use another daemon; start this one with a new data folder, or stop it"),
  },
  "not-listed": {
    sentence:
      "The cluster's list of members does not name this daemon, so it accepts no writes, because they would reach no other daemon.",
    wire: never(
      "use another daemon; add this one to the list (dbsync members add), with a new data folder if it was removed",
    ),
  },
  "not-admitted": {
    sentence:
      "This daemon is new, and every peer that answers refuses it, so it accepts no writes, because they would reach no other daemon.",
    wire: never("use another daemon; this one's log and dbsync status say what to correct"),
  },
  "semantics-unknown": {
    sentence:
      "This daemon's release does not know the semantics version of the cluster, or its build does not contain the code of a command, so it accepts and answers no commands.",
    wire: never("use another daemon, and upgrade this one, or install a complete build"),
  },
  "storage-failed": {
    sentence: "The data folder cannot be written; the daemon accepts nothing until it is restarted.",
    wire: varies("see this daemon's log: free space on its disk or repair it, and restart this daemon"),
  },
  "order-unavailable": {
    sentence:
      "The stream that orders the writes (--order) cannot be reached or read; nothing is written without it.",
    wire: varies("see this daemon's log, and check its NATS server; or use another daemon"),
  },
  "order-too-long": {
    sentence: "The envelope is longer than one message of the NATS server of --order may be (max_payload).",
    wire: never("send smaller commands, or raise max_payload of the daemon's NATS server"),
  },
  "events-not-taken": {
    sentence: "The client does not read its events as fast as they arrive.",
    wire: never("read its events faster, or subscribe to less"),
  },
  "no-longer-permitted": {
    sentence: "The client's key is no longer permitted to receive these events.",
    wire: never("listen with a permitted key, or change the rules of this one (dbsync keys)"),
  },
  "cannot-wait": {
    sentence:
      "There is nothing to wait for: the envelope writes nothing, or the daemon has no timeline (--data, --peer).",
    wire: never("leave out stable and replicated, or start the daemon with --data or --peer"),
  },
  "too-few-daemons": {
    sentence:
      "The client requires more daemons than this daemon knows in its cluster, including itself (--peer).",
    wire: never("wait for fewer daemons (replicated), or start more; dbsync status lists the daemons"),
  },
  "not-stable": {
    sentence: "The envelope was applied, but the order up to it did not become final in time.",
    wire: unknown("check the effect of the command; dbsync status shows which daemon is unreachable"),
  },
  "not-replicated": {
    sentence: "The envelope was applied, but fewer daemons than required had it on disk in time.",
    wire: unknown("check the effect of the command; dbsync status shows which daemon is unreachable"),
  },
  "database-down": {
    sentence: "A database cannot be reached; the command was not sent to it.",
    wire: varies("see this daemon's log, and start its database"),
  },
  "database-lost": {
    sentence: "The connection to a database broke; whether it executed the command is not known.",
    wire: unknown("check the effect of the command, and see this daemon's log"),
  },
  "database-timeout": {
    sentence:
      "A database did not answer in time (--backend-timeout); whether it executed the command is not known.",
    wire: unknown("check the effect of the command, or raise the daemon's --backend-timeout"),
  },
  "too-much-behind": {
    sentence: "More than --max-query-bytes arrived after a command of a RESP client that waits for data.",
  },
  "version-1-off": {
    sentence: "The client speaks version 1, and this daemon accepts only version 2 (--require, --v1).",
  },
  "not-permitted": {
    sentence: "The key's rules do not permit the command, or version 1 does not support it.",
  },
  "not-let-in": {
    sentence:
      "Writes are disabled: this daemon's own key, which signs for clients that do not sign, is not authorized.",
  },
  "empty-command": { sentence: "The command is empty." },
  "too-many-arguments": { sentence: "The command has more arguments than any command accepts." },
  "command-too-long": {
    sentence: "The signed command would be longer than the maximum of --max-request-bytes.",
  },
  "not-carried": {
    sentence: "The command needs its own connection, which dbsync does not provide for a client.",
  },
  "command-error": { sentence: "A database answered with an error." },
  "wrong-origin": {
    sentence: "A browser's page of another site tried to connect: specify its site with --ws-origin.",
  },
  idle: { sentence: "No complete request arrived within --idle-timeout." },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

/**
 * Returns the text of a refusal for a client: the reason, and what to do, as two sentences.
 * @param cause  the cause of this refusal, in place of all causes that the sentence lists after a colon; default: all
 */
export function refusalText(code: RefusalCode, cause: string | null = null): string {
  const { sentence: general, wire }: Refusal = REFUSALS[code];
  const sentence = cause === null ? general : `${general.slice(0, general.indexOf(":"))}: ${cause}.`;
  const cure = wire?.cure ?? "";
  return cure === "" ? sentence : `${sentence} ${cure[0]?.toUpperCase()}${cure.slice(1)}.`;
}
