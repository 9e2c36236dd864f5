/**
 * The subcommands of CLIENT, also CLIENT TRACKING, for connections that cache what they read. Texts: redis-server 7.0.
 */
import { custom, notInteger, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  integer,
  map,
  NIL,
  OK,
  ONE,
  type Reply,
  set,
  verbatim,
  ZERO,
} from "../../../protocol/reply.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { type Client, clientLine, hasSubscriptions, type TrackingMode } from "../session/clients.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { checkedName, NAME_BYTES_MAX } from "./connection-commands.js";

/** The session of a client that describes itself. */
export interface DescribedSession {
  readonly id: number;
  name: ByteString;
  library: ByteString;
  libraryVersion: ByteString;
}

/** The commands that a sentinel also has. */
export const describingHandlers: readonly (readonly [
  string,
  (session: DescribedSession, argv: readonly ByteString[]) => Reply,
])[] = [
  ["CLIENT|GETNAME", ({ name }) => (name === "" ? NIL : bulk(name))],
  ["CLIENT|ID", ({ id }) => integer(id)],
  ["CLIENT|SETINFO", setInfo],
  ["CLIENT|SETNAME", setName],
];

export const clientHandlers: readonly (readonly [string, SessionHandler])[] = [
  ...describingHandlers,
  ["CLIENT|INFO", (session, argv) => verbatim(`${ownLine(session, argv)}\n`)],
  ["CLIENT|KILL", kill],
  ["CLIENT|LIST", list],
  ["CLIENT|NO-EVICT", onOrOff],
  ["CLIENT|NO-TOUCH", onOrOff],
  ["CLIENT|PAUSE", pause],
  ["CLIENT|REPLY", chooseReplies],
  ["CLIENT|UNBLOCK", unblock],
  ["CLIENT|UNPAUSE", unpause],
];

/** The client types of Redis. */
const TYPES: readonly string[] = ["normal", "master", "slave", "replica", "pubsub"];
const typeOf = (client: Client) => (hasSubscriptions(client) ? "pubsub" : "normal");
/** The longest pause in milliseconds. */
const PAUSE_MS_MAX = 2 ** 31 - 1;

/** Returns the client's own line of CLIENT LIST. As in Redis, its buffer includes the running command. */
function ownLine(session: RespSession, argv: readonly ByteString[]): ByteString {
  const requestBytes = session.requestBytes + writeCommand(argv).length;
  return clientLine(session, session.server.environment.uptime(), requestBytes);
}

/** `CLIENT LIST [TYPE type | ID id …]` */
function list(session: RespSession, argv: readonly ByteString[]): Reply {
  const { clients } = session.server;
  const option = argv[2]?.toUpperCase();
  let listed = clients.all();
  if (option === "TYPE" && argv.length === 4) {
    const type = checkedType(argv[3] as ByteString);
    listed = listed.filter((client) => typeOf(client) === type);
  } else if (option === "ID" && argv.length > 3) {
    const ids = argv.slice(3).map(parseInteger);
    if (ids.some((id) => id === undefined)) throw custom("ERR Invalid client ID");
    listed = ids.flatMap((id) => clients.find(Number(id)) ?? []);
  } else if (argv.length > 2) throw syntaxError();

  const now = session.server.environment.uptime();
  const lines = listed.map((one) => (one === session ? ownLine(session, argv) : clientLine(one, now)));
  return verbatim(lines.map((line) => `${line}\n`).join(""));
}

function checkedType(word: ByteString): string {
  const type = word.toLowerCase();
  if (!TYPES.includes(type)) throw custom(`ERR Unknown client type '${word}'`);
  return type;
}

/** The criteria by which CLIENT KILL selects clients. */
interface ClientFilter {
  readonly matches: ((client: Client) => boolean)[];
  skipsSelf: boolean;
}

/** `CLIENT KILL address:port` or `CLIENT KILL [ID|TYPE|USER|ADDR|LADDR|SKIPME value] …` */
function kill(session: RespSession, argv: readonly ByteString[]): Reply {
  const filter: ClientFilter = { matches: [], skipsSelf: true };
  if (argv.length === 3) {
    filter.skipsSelf = false;
    filter.matches.push(({ remote }) => remote === argv[2]);
  } else if (argv.length % 2 === 1) throw syntaxError();
  else
    for (let i = 2; i < argv.length; i += 2)
      addCriterion(session, filter, argv[i] as ByteString, argv[i + 1] as ByteString);

  const selected = session.server.clients
    .all()
    .filter(
      (one) => filter.matches.every((matches) => matches(one)) && !(filter.skipsSelf && one === session),
    );
  for (const one of selected) {
    if (one === session) one.endAfterAnswer();
    else one.kill();
  }

  if (argv.length > 3) return integer(selected.length);
  if (selected.length === 0) throw custom("ERR No such client");

  return OK;
}

function addCriterion(
  { server }: RespSession,
  filter: ClientFilter,
  option: ByteString,
  value: ByteString,
): void {
  switch (option.toUpperCase()) {
    case "ID": {
      const id = parseInteger(value);
      if (id === undefined || id < 1) throw custom("ERR client-id should be greater than 0");
      filter.matches.push((client) => client.id === Number(id));
      break;
    }
    case "TYPE": {
      const type = checkedType(value);
      filter.matches.push((client) => typeOf(client) === type);
      break;
    }
    case "USER":
      if (server.host.users.find(value) === undefined) throw custom(`ERR No such user '${value}'`);
      filter.matches.push(({ userName }) => userName === value);
      break;
    case "ADDR":
      filter.matches.push(({ remote }) => remote === value);
      break;
    case "LADDR":
      filter.matches.push(({ local }) => local === value);
      break;
    case "SKIPME":
      filter.skipsSelf = yesOrNo(value);
      break;
    default:
      throw syntaxError();
  }
}

function yesOrNo(word: ByteString): boolean {
  if (!/^(yes|no)$/i.test(word)) throw syntaxError();
  return word.toLowerCase() === "yes";
}

function onOrOff(_: RespSession, argv: readonly ByteString[]): Reply {
  if (!/^(on|off)$/i.test(argv[2] as ByteString)) throw syntaxError();
  return OK;
}

/** `CLIENT PAUSE milliseconds [WRITE|ALL]` */
function pause({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const mode = argv[3]?.toLowerCase() ?? "all";
  if (argv.length > 4 || (mode !== "all" && mode !== "write"))
    throw custom("ERR CLIENT PAUSE mode must be WRITE or ALL");
  const milliseconds = parseInteger(argv[2] as ByteString);
  if (milliseconds === undefined) throw custom("ERR timeout is not an integer or out of range");
  if (milliseconds < 0) throw custom("ERR timeout is negative");
  server.pause.begin(mode, Math.min(Number(milliseconds), PAUSE_MS_MAX));
  return OK;
}

function unpause({ server }: RespSession): Reply {
  server.pause.end();
  return OK;
}

/** `CLIENT REPLY ON|OFF|SKIP` */
function chooseReplies(session: RespSession, argv: readonly ByteString[]): Reply | null {
  switch (argv[2]?.toUpperCase()) {
    case "ON":
      session.replies = "on";
      return OK;
    case "OFF":
      session.replies = "off";
      return null;
    case "SKIP":
      // The connection also checks this at the end of the command.
      if (session.replies !== "off") session.replies = "skip";
      return null;
    default:
      throw syntaxError();
  }
}

function setName(session: DescribedSession, argv: readonly ByteString[]): Reply {
  session.name = checkedName(argv[2] as ByteString);
  return OK;
}

/** `CLIENT SETINFO LIB-NAME|LIB-VER value`, as in Redis 7.2. */
function setInfo(session: DescribedSession, argv: readonly ByteString[]): Reply {
  const [, , option = "", value = ""] = argv;
  const field = option.toUpperCase();
  if (field !== "LIB-NAME" && field !== "LIB-VER") throw custom(`ERR Unrecognized option '${option}'`);
  if (value.length > NAME_BYTES_MAX)
    throw custom(`ERR ${option.toLowerCase()} may have at most ${NAME_BYTES_MAX} bytes here.`);
  if (!/^[!-~]*$/.test(value))
    throw custom(`ERR ${option.toLowerCase()} cannot contain spaces, newlines or special characters.`);
  if (field === "LIB-NAME") session.library = value;
  else session.libraryVersion = value;
  return OK;
}

/** `CLIENT UNBLOCK id [TIMEOUT|ERROR]` */
function unblock({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const outcome = argv[3]?.toLowerCase() ?? "timeout";
  if (argv.length > 4) throw syntaxError();
  if (outcome !== "timeout" && outcome !== "error")
    throw custom("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  const id = parseInteger(argv[2] as ByteString);
  if (id === undefined) throw notInteger();
  return server.clients.find(Number(id))?.unblock(outcome) ? ONE : ZERO;
}

export const trackingHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["CLIENT|CACHING", choose],
  ["CLIENT|GETREDIR", (session) => integer(modeOf(session)?.redirect ?? -1)],
  ["CLIENT|TRACKING", track],
  ["CLIENT|TRACKINGINFO", describe],
];

const modeOf = (session: RespSession) => session.server.tracking.of(session)?.mode ?? null;

/** `CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]` */
function track(session: RespSession, argv: readonly ByteString[]): Reply {
  const { server, lastWrite } = session;
  const options = optionsOf(session, argv);
  const word = (argv[2] as ByteString).toUpperCase();
  if (word === "OFF") {
    server.tracking.end(session);
    return OK;
  }
  if (word !== "ON") throw syntaxError();
  if (!server.tracking.isPossible)
    throw custom(
      "ERR client-side caching is not possible here: the keys are on other daemons, which do not report changes",
    );
  const old = modeOf(session);
  checkOptions(options, old);
  const { isBroadcast, prefixes: added, isOptin, isOptout, noLoop, redirect } = options;
  const prefixes = isBroadcast ? new Set([...(old?.prefixes ?? []), ...added]) : null;
  // A client without prefixes is notified of all keys.
  if (isBroadcast && added.length === 0) prefixes?.add("");
  const choice = isOptin ? "optin" : isOptout ? "optout" : "all";
  server.tracking.begin(session, lastWrite, { prefixes, choice, noLoop, redirect });
  return OK;
}

interface Options {
  isBroadcast: boolean;
  isOptin: boolean;
  isOptout: boolean;
  noLoop: boolean;
  redirect: number;
  readonly prefixes: ByteString[];
}

function optionsOf({ server }: RespSession, argv: readonly ByteString[]): Options {
  const options: Options = {
    isBroadcast: false,
    isOptin: false,
    isOptout: false,
    noLoop: false,
    redirect: 0,
    prefixes: [],
  };
  for (let i = 3; i < argv.length; i++) {
    const word = (argv[i] as ByteString).toUpperCase();
    const hasMore = i + 1 < argv.length;
    if (word === "REDIRECT" && hasMore)
      options.redirect = redirection(server, options, argv[++i] as ByteString);
    else if (word === "PREFIX" && hasMore) options.prefixes.push(argv[++i] as ByteString);
    else if (word === "BCAST") options.isBroadcast = true;
    else if (word === "OPTIN") options.isOptin = true;
    else if (word === "OPTOUT") options.isOptout = true;
    else if (word === "NOLOOP") options.noLoop = true;
    else throw syntaxError();
  }
  return options;
}

function redirection({ clients }: RespSession["server"], { redirect }: Options, word: ByteString): number {
  if (redirect !== 0) throw custom("ERR A client can only redirect to a single other client");
  const id = parseInteger(word);
  if (id === undefined) throw notInteger();
  if (clients.find(Number(id)) === undefined)
    throw custom("ERR The client ID you want redirect to does not exist");
  return Number(id);
}

/** Checks options. @throws CommandFailure  they cannot be used together, or conflict with the current mode */
function checkOptions({ isBroadcast, isOptin, isOptout, prefixes }: Options, old: TrackingMode | null): void {
  if (!isBroadcast && prefixes.length > 0)
    throw custom("ERR PREFIX option requires BCAST mode to be enabled");
  if (old !== null && (old.prefixes !== null) !== isBroadcast)
    throw custom(`ERR You can't switch BCAST mode ${OFF}`);
  if (isBroadcast && (isOptin || isOptout))
    throw custom("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (isOptin && isOptout) throw custom("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if ((isOptin && old?.choice === "optout") || (isOptout && old?.choice === "optin"))
    throw custom(`ERR You can't switch OPTIN/OPTOUT mode ${BEFORE}`);
  if (isBroadcast) checkPrefixes(prefixes, [...(old?.prefixes ?? [])].sort());
}

const BEFORE = "before disabling tracking for this client, and then re-enabling it with a different mode.";
const OFF = `on/off ${BEFORE}`;
const NEVER = "Prefixes for a single client must not overlap.";

function checkPrefixes(prefixes: readonly ByteString[], old: readonly ByteString[]): void {
  const overlapping = overlappingOf([...old, ...prefixes]);
  for (const [i, prefix] of prefixes.entries()) {
    if (!overlapping.has(prefix)) continue;
    const known = old.find((one) => overlap(one, prefix));
    if (known !== undefined)
      throw custom(`ERR Prefix '${prefix}' overlaps with an existing prefix '${known}'. ${NEVER}`);
    const other = prefixes.find((one, index) => index > i && overlap(one, prefix));
    if (other !== undefined)
      throw custom(`ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. ${NEVER}`);
  }
}

/**
 * Returns the prefixes that overlap with another one. In sorted order, all prefixes that begin with a shorter one
 * follow it directly.
 */
function overlappingOf(prefixes: readonly ByteString[]): ReadonlySet<ByteString> {
  const found = new Set<ByteString>();
  let first: ByteString | null = null;
  for (const prefix of [...prefixes].sort()) {
    if (first !== null && prefix.startsWith(first)) found.add(first).add(prefix);
    else first = prefix;
  }
  return found;
}

const overlap = (a: ByteString, b: ByteString) => a.startsWith(b) || b.startsWith(a);

/** `CLIENT CACHING YES|NO`, which applies to the keys of the next command. */
function choose(session: RespSession, argv: readonly ByteString[]): Reply {
  const tracker = session.server.tracking.of(session);
  const mode = tracker?.mode ?? null;
  if (tracker === undefined || mode === null) throw custom(NOT_TRACKING);
  const word = (argv[2] as ByteString).toUpperCase();
  if (word !== "YES" && word !== "NO") throw syntaxError();
  const choice = word === "YES" ? "optin" : "optout";
  if (mode.choice !== choice)
    throw custom(
      `ERR CLIENT CACHING ${word} is only valid when tracking is enabled in ${choice.toUpperCase()} mode.`,
    );
  tracker.isNamedByCaching = true;
  return OK;
}

const NOT_TRACKING =
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";

/** `CLIENT TRACKINGINFO` */
function describe(session: RespSession): Reply {
  const tracker = session.server.tracking.of(session);
  const mode = tracker?.mode ?? null;
  const flags = mode === null ? ["off"] : ["on"];
  if (mode !== null && mode.prefixes !== null) flags.push("bcast");
  if (mode !== null && mode.choice !== "all") {
    flags.push(mode.choice);
    if (tracker?.isNamedByCaching) flags.push(mode.choice === "optin" ? "caching-yes" : "caching-no");
  }
  if (mode?.noLoop) flags.push("noloop");
  if (tracker?.isBroken) flags.push("broken_redirect");
  return map([
    ...[bulk("flags"), set(flags.map(bulk))],
    ...[bulk("redirect"), integer(mode?.redirect ?? -1)],
    ...[bulk("prefixes"), array([...(mode?.prefixes ?? [])].sort().map(bulk))],
  ]);
}
