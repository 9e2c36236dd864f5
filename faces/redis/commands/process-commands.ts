/** The commands about the process: save, stop, replicate, monitor. Texts: redis-server 7.0. */
import { lastSave } from "../../../daemon/engine/info/info-text.js";
import { version } from "../../../daemon/net/process/version.js";
import { custom, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { acceptsWrites } from "../../../protocol/daemon-states.js";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  integer,
  OK,
  type Reply,
  status,
  verbatim,
  ZERO,
} from "../../../protocol/reply.js";
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { valuesOf } from "./info-command.js";

export const processHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["BGREWRITEAOF", rewriteInBackground],
  ["BGSAVE", saveInBackground],
  ["LASTSAVE", (session) => integer(lastSave(valuesOf(session)))],
  ["LOLWUT", drawPicture],
  ["MONITOR", monitor],
  ["REPLICAOF", replicaOf],
  ["ROLE", role],
  ["SAVE", save],
  ["SHUTDOWN", shutDown],
  ["SLAVEOF", replicaOf],
];

const ALREADY_STORED = status("Nothing to save: commands are written to disk as they arrive");

/** Checks that data is stored on disk. @throws CommandFailure  the daemon has no --data */
function requireDataFolder({ server }: RespSession): void {
  if (server.daemon.settings.data === null)
    throw custom("ERR this daemon stores nothing on disk: start it with --data");
}

function save(session: RespSession): Reply {
  requireDataFolder(session);
  return OK;
}

/** `BGREWRITEAOF`; commands are already on disk. */
function rewriteInBackground(session: RespSession): Reply {
  requireDataFolder(session);
  return ALREADY_STORED;
}

/** `ROLE`; a daemon that accepts no writes is shown as a replica without its master. */
function role({ server: { daemon } }: RespSession): Reply {
  const { state } = daemon.condition;
  if (acceptsWrites(state)) return array([bulk("master"), ZERO, EMPTY_ARRAY]);
  const link = state === "catching-up" ? "sync" : "connect";
  return array([bulk("slave"), bulk(""), ZERO, bulk(link), integer(-1)]);
}

/** `BGSAVE [SCHEDULE]` */
function saveInBackground(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 2 || (argv[1] !== undefined && argv[1].toUpperCase() !== "SCHEDULE")) throw syntaxError();
  return rewriteInBackground(session);
}

/** `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]` */
function shutDown(session: RespSession, argv: readonly ByteString[]): Reply | null {
  const options = new Set(argv.slice(1).map((option) => option.toUpperCase()));
  for (const option of options) if (!/^(NOSAVE|SAVE|NOW|FORCE|ABORT)$/.test(option)) throw syntaxError();
  if (options.has("ABORT") && options.size === 1) throw custom("ERR No shutdown in progress.");
  if (options.has("ABORT") || (options.has("SAVE") && options.has("NOSAVE"))) throw syntaxError();
  const stop = session.server.daemon.shutDown;
  if (stop === null) throw custom("ERR this daemon is part of another program, which stops it");
  session.isClosing = true;
  stop();
  return null;
}

/** `REPLICAOF NO ONE` */
function replicaOf(_: RespSession, [, host = "", port = ""]: readonly ByteString[]): Reply {
  if (host.toUpperCase() === "NO" && port.toUpperCase() === "ONE") return OK;
  throw custom("ERR a daemon cannot be a replica of another server: daemons of a cluster are peers (--peer)");
}

function monitor(session: RespSession): Reply {
  if (session.isExecuting) throw custom("ERR MONITOR isn't allowed for DENY BLOCKING client");
  session.server.monitors.add(session);
  return OK;
}

/** The number of lines of the picture. */
const PICTURE_LINES = 7;

/** `LOLWUT [VERSION number]`. The picture shows arriving envelopes that are merged into one state. */
function drawPicture(_: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 2 && argv[1]?.toUpperCase() === "VERSION") integerArgument(argv[2] as ByteString);
  const rows = Array.from({ length: PICTURE_LINES }, (_, row) => {
    const indent = Math.abs(row - (PICTURE_LINES - 1) / 2) * 3;
    const arrow = row === (PICTURE_LINES - 1) / 2 ? "==>[ = ]" : "";
    return `${" ".repeat(9 - indent)}${row % 2 === 0 ? "[~]" : " \\ "}${"-".repeat(indent)}>${arrow}`;
  });
  return verbatim(`${rows.join("\n")}\nRedis ver. ${REDIS_VERSION}, dbsync ver. ${version}\n`);
}
