/**
 * The commands of Redis replicas, clusters and modules, for a server without these. SYNC sends what `redis-cli --rdb`
 * expects: all keys in one file. Texts: redis-server 7.0.
 */
import type { CommandSender, LocalData } from "../../../daemon/engine/backends/command-path.js";
import { custom, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import { waitArguments } from "../../../daemon/store/commands/wait-rules.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { bulk, EMPTY_ARRAY, integer, OK, type Reply, ZERO } from "../../../protocol/reply.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { UNBLOCKED } from "../session/run-blocking-command.js";
import { RdbFile } from "../store/rdb/rdb-file.js";

export const replicationHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["ASKING", noCluster],
  ["FAILOVER", failover],
  ["MODULE|LIST", () => EMPTY_ARRAY],
  ["MODULE|LOAD", noModules],
  ["MODULE|LOADEX", noModules],
  ["MODULE|UNLOAD", noModules],
  ["PSYNC", noReplica],
  ["READONLY", noCluster],
  ["READWRITE", noCluster],
  ["REPLCONF", configure],
  ["SYNC", dumpAll],
];

function noCluster(): never {
  throw custom("ERR This instance has cluster support disabled");
}

function noModules(): never {
  throw custom("ERR modules are not supported: a daemon is extended with listeners and peers");
}

/** `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms]` */
function failover(_: RespSession, argv: readonly ByteString[]): never {
  throw custom(
    argv.length === 2 && argv[1]?.toUpperCase() === "ABORT"
      ? "ERR No failover in progress."
      : "ERR FAILOVER requires connected replicas.",
  );
}

function noReplica(): never {
  throw custom(
    "ERR a daemon has no replicas: daemons of a cluster are peers (--peer). redis-cli --rdb dumps all keys",
  );
}

/** The sessions that have requested only a file. Other clients would expect later writes after SYNC. */
const fileRequesters = new WeakSet<RespSession>();

/** `REPLCONF option value …` */
function configure(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 0) throw syntaxError();
  for (let i = 1; i < argv.length; i += 2)
    if (argv[i]?.toLowerCase() === "rdb-only" && argv[i + 1] === "1") fileRequesters.add(session);
  return OK;
}

/** Returns the file as soon as the disk has everything in it, and closes the connection. */
function dumpAll(session: RespSession): Reply | Promise<Reply> {
  if (!fileRequesters.has(session)) noReplica();
  const { host, path } = session.server;
  const file = fileOf(session, host.limits.maxOutputBytes);
  session.isClosing = true;
  return path.whenSafe(bulk(file));
}

/**
 * Returns a consistent snapshot of all keys as an RDB file. @throws CommandFailure  the file is longer than an answer
 * may be, or a key cannot be represented in Redis
 */
function fileOf(session: RespSession, maxBytes: number): ByteString {
  const { path } = session.server;
  const { localData } = path;
  if (localData === null) throw custom("ERR other daemons have the keys: dump them there");

  const { now, as, lastWrite } = session;
  const file = new RdbFile();
  for (let db = 0; db < path.databases; db++) {
    const sender = { db, now, as, readsAll: true, isStable: false, lastWrite };
    const keys = read(localData, sender, "KEYS", "*");
    const names = keys.kind === "array" ? keys.items : [];
    if (names.length > 0) file.select(db);
    for (const name of names) {
      const key = name.kind === "bulk" ? name.bytes : "";
      const payload = read(localData, sender, "DUMP", key);
      if (payload.kind === "error")
        throw custom(`ERR key '${key}' of database ${db}: ${payload.text.slice(4)}`);
      const expiry = read(localData, sender, "PEXPIRETIME", key);
      if (payload.kind !== "bulk" || expiry.kind !== "integer") continue;
      file.add(key, payload.bytes, Number(expiry.value));
      if (file.size > maxBytes)
        throw custom(`ERR the dump would be longer than an answer may be (--max-output-bytes ${maxBytes})`);
    }
  }

  return file.end();
}

/** Returns the reply to a read from memory, which is immediate. */
function read(localData: LocalData, sender: CommandSender, ...argv: readonly [string, ByteString]): Reply {
  const reply = localData.inspect(findCommand(argv[0]) as Command, argv, sender);
  if (reply instanceof Promise) throw new Error(`${argv[0]} was not answered immediately`);
  return finishReply(reply);
}

/**
 * Implements WAIT, which counts the other daemons that have the connection's last write on disk. The error texts are
 * those of redis-server 7.0.
 */
export const replicaWaitHandlers: readonly (readonly [string, SessionHandler])[] = [["WAIT", wait]];

/** `WAIT numreplicas milliseconds` */
function wait(session: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  const { replicas, milliseconds } = waitArguments(argv);
  const { copies } = session.server.daemon;
  if (copies === null || copies.isAlone) return ZERO;

  const { orderKey } = session.lastWrite;
  const count = copies.count(orderKey);
  if (count >= replicas || session.isExecuting) return integer(count);

  return new Promise((resolve) => {
    let failure: Reply | null = null;
    const end = copies.wait({ orderKey, wanted: replicas, milliseconds }, () => {
      session.waiting = null;
      resolve(failure ?? integer(copies.count(orderKey)));
    });
    session.waiting = (outcome) => {
      if (outcome === "error") failure = UNBLOCKED;
      end();
      return true;
    };
  });
}
