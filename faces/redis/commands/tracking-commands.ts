/** CLIENT TRACKING and its subcommands, for connections that cache what they read. Texts: redis-server 7.0. */
import { custom, notInteger, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, OK, type Reply, set } from "../../../protocol/reply.js";
import type { TrackingMode } from "../session/clients.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";

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

  const old = modeOf(session);
  checkOptions(options, old);
  const { isBroadcast, prefixes: added, isOptin, isOptout, noLoop, redirect } = options;
  if (!server.tracking.observesChanges && (isBroadcast || redirect !== 0)) throw custom(NO_CHANGES);

  const prefixes = isBroadcast ? new Set([...(old?.prefixes ?? []), ...added]) : null;
  // A client without prefixes is notified of all keys.
  if (isBroadcast && added.length === 0) prefixes?.add("");
  const choice = isOptin ? "optin" : isOptout ? "optout" : "all";
  server.tracking.begin(session, lastWrite, { prefixes, choice, noLoop, redirect });
  return OK;
}

const NO_CHANGES =
  "NOTAPPLIED CLIENT TRACKING with BCAST or REDIRECT is not possible here: the keys are on other daemons, which do not " +
  "report changes, so that keys are invalidated only after a client has read them";

interface TrackingOptions {
  isBroadcast: boolean;
  isOptin: boolean;
  isOptout: boolean;
  noLoop: boolean;
  redirect: number;
  readonly prefixes: ByteString[];
}

function optionsOf({ server }: RespSession, argv: readonly ByteString[]): TrackingOptions {
  const options: TrackingOptions = {
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

function redirection(
  { clients }: RespSession["server"],
  { redirect }: TrackingOptions,
  word: ByteString,
): number {
  if (redirect !== 0) throw custom("ERR A client can only redirect to a single other client");
  const id = parseInteger(word);
  if (id === undefined) throw notInteger();
  if (clients.find(Number(id)) === undefined)
    throw custom("ERR The client ID you want redirect to does not exist");
  return Number(id);
}

/** Checks options. @throws CommandFailure  they cannot be used together, or conflict with the current mode */
function checkOptions(
  { isBroadcast, isOptin, isOptout, prefixes }: TrackingOptions,
  old: TrackingMode | null,
): void {
  if (!isBroadcast && prefixes.length > 0)
    throw custom("ERR PREFIX option requires BCAST mode to be enabled");
  if (old !== null && (old.prefixes !== null) !== isBroadcast)
    throw custom(`ERR You can't switch BCAST mode on/off ${DISABLE_FIRST}`);
  if (isBroadcast && (isOptin || isOptout))
    throw custom("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (isOptin && isOptout) throw custom("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if ((isOptin && old?.choice === "optout") || (isOptout && old?.choice === "optin"))
    throw custom(`ERR You can't switch OPTIN/OPTOUT mode ${DISABLE_FIRST}`);
  if (isBroadcast) checkPrefixes(prefixes, [...(old?.prefixes ?? [])].sort());
}

/** The ends of errors in Redis's words. */
const DISABLE_FIRST =
  "before disabling tracking for this client, and then re-enabling it with a different mode.";
const MUST_NOT_OVERLAP = "Prefixes for a single client must not overlap.";

function checkPrefixes(prefixes: readonly ByteString[], old: readonly ByteString[]): void {
  const overlapping = overlappingOf([...old, ...prefixes]);
  for (const [i, prefix] of prefixes.entries()) {
    if (!overlapping.has(prefix)) continue;
    const known = old.find((one) => overlap(one, prefix));
    if (known !== undefined)
      throw custom(`ERR Prefix '${prefix}' overlaps with an existing prefix '${known}'. ${MUST_NOT_OVERLAP}`);
    const other = prefixes.find((one, index) => index > i && overlap(one, prefix));
    if (other !== undefined)
      throw custom(
        `ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. ${MUST_NOT_OVERLAP}`,
      );
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
