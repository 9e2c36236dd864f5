/**
 * Completes the settings from the options: what options imply for each other, and a check of their combinations before anything is opened.
 */
import type { Command } from "commander";
import { isLoopback } from "../net/process/loopback.js";
import { StartError } from "../net/process/start-error.js";
import { COMPAT_DATABASE } from "./common-rows.js";
import { isRedis, parseSpecifications } from "./database-list.js";
import { formatLimit } from "./limit-text.js";
import { LIMITS, type LimitName, type Limits } from "./limits.js";
import { attributeOf } from "./option-row.js";
import { refuseOpen } from "./reach.js";
import {
  hasKeys,
  hasTimeline,
  hasUserListener,
  isOwnMemory,
  isSidecar,
  isSigned,
  type OptionValues,
  type Settings,
} from "./settings.js";
import { SIDECAR } from "./sidecar-rows.js";
import { OPTION_NAMES, OPTIONS, type OptionName } from "./table.js";
import { validateTimeline } from "./timeline-rules.js";
import { fail, refuseSamePlaces, validateUserListeners } from "./user-listener-rules.js";

/** Whether an option was set, wherever. */
type Chosen = (name: OptionName) => boolean;

/** Returns the value of each option: as set, or as --compat has it, or its fallback. */
export function valuesOf(program: Command): OptionValues {
  const given = Object.fromEntries(
    OPTION_NAMES.map((name) => {
      const { [name]: row } = OPTIONS;
      return [name, program.getOptionValue(attributeOf(row)) ?? row.fallback];
    }),
  ) as OptionValues;
  return { ...given, ...impliedBy(given, chosenOf(program)) };
}

/** Returns the values that --compat decides, of options that were not set. */
function impliedBy(given: OptionValues, chosen: Chosen): Partial<OptionValues> {
  if (given.compat === null) return {};
  return {
    ...(chosen("database") ? {} : { database: parseSpecifications(COMPAT_DATABASE) }),
    ...(hasKeys(given) ? {} : { allowUnsigned: true }),
  };
}

/**
 * The configuration that the options make. @throws StartError  for combinations that make no sense, with
 * the cures
 */
export function settingsOf(program: Command): Settings {
  const values = valuesOf(program);
  const { compat } = values;
  const goesToAll = values.peers.length > 0 || values.order !== null;
  const usual = goesToAll ? "off" : values.data === null ? "local" : "gateway";
  const settings: Settings = {
    ...withLimits(values),
    v1: values.v1 ?? usual,
    differences: compat === null ? [] : differencesOf(chosenOf(program)),
  };
  validateTls(settings);
  validateSidecar(settings);
  validate(settings);
  validateTimeline(settings, hasKeys(settings) || hasUserListener(settings), values.v1 !== null);
  validateUserListeners(settings);
  validateWeb(settings);
  refuseSamePlaces(settings);
  validateMemory(settings);
  validateAdmin(settings);
  return settings;
}

function withLimits(values: OptionValues): Omit<OptionValues, LimitName> & { readonly limits: Limits } {
  const names = Object.keys(LIMITS) as LimitName[];
  const limits = Object.fromEntries(names.map((name) => [name, values[name]])) as Record<LimitName, number>;
  const others = Object.entries(values).filter(([name]) => !(name in limits));
  return { ...(Object.fromEntries(others) as Omit<OptionValues, LimitName>), limits };
}

function chosenOf(program: Command): Chosen {
  return (name) => !["default", undefined].includes(program.getOptionValueSource(attributeOf(OPTIONS[name])));
}

/** @throws StartError  for one file without the other */
function validateTls({ tlsCert, tlsKey }: Settings): void {
  if ((tlsCert === null) === (tlsKey === null)) return;
  const missing = tlsCert === null ? "--tls-cert" : "--tls-key";
  throw new StartError(`TLS takes a certificate and its key: ${missing} is missing.`, 2);
}

function validate(settings: Settings): void {
  const { bind, allowUnsigned, limits } = settings;
  const signed = isSigned(settings);
  if (signed && allowUnsigned)
    fail(
      "--allow-unsigned and -s, --data, --peer or --order exclude each other: with these only signed commands are taken. Leave it out.",
    );
  if (isLoopback(bind) === false) refuseOpen(bind, settings);
  if (limits.maxRequestBytes > limits.maxBufferedBytes)
    fail(
      "--max-request-bytes is above --max-buffered-bytes, so no such request could arrive. Raise the latter.",
    );
}

/** @throws StartError  with the cures */
function validateSidecar(settings: Settings): void {
  if (!isSidecar(settings)) {
    const names = Object.keys(SIDECAR) as (keyof typeof SIDECAR)[];
    const given = names.find((name) => settings[name] !== SIDECAR[name].fallback);
    if (given !== undefined)
      fail(`--${given} is for a daemon that signs for clients: give -d dbsync:host:port,host:port too.`);
    return;
  }
  if (settings.key === null)
    fail(
      "-d dbsync signs what it passes on, and there is no key: give --key private.pem (dbsync-keygen --out . makes a " +
        "pair, whose public key the daemons have to know: -s public.pem, or dbsync keys add).",
    );
  if (hasKeys(settings))
    fail(
      "-d dbsync takes what is not signed, and signs it. What is signed already goes to the daemons themselves: leave " +
        "out -s and --root-key, or -d.",
    );
  if (hasTimeline(settings))
    fail("-d dbsync keeps nothing itself, the daemons do: leave out --data, --peer and --order, or -d.");
  if (settings.jsonReplicas.length > 0)
    fail("--json-replica works with the database in memory only: leave it out, or -d dbsync.");
}

/** @throws StartError  with the cures */
function validateMemory(settings: Settings): void {
  const { limits, maxmemoryPolicy, database, waitReplicas } = settings;
  // With a timeline too: replicas of its mirror are nothing that answers wait for.
  if (waitReplicas > 0 && (hasTimeline(settings) || !database.some(({ kind }) => isRedis(kind))))
    fail(
      "--wait-replicas is about replicas of a Redis server: give -d redis:host:port too, or leave it out.",
    );
  if (limits.maxmemory > 0 && !isOwnMemory(settings))
    fail(
      "--maxmemory bounds the database in this daemon's memory: leave it out, and bound that of the server of -d.",
    );
  if (maxmemoryPolicy === "noeviction") return;
  if (hasTimeline(settings))
    fail(
      `--maxmemory-policy ${maxmemoryPolicy} would drop keys here and nowhere else, so this daemon would differ from ` +
        "its peers and its own folder. With --data, --peer or --order leave it out.",
    );
  if (limits.maxmemory === 0)
    fail(`--maxmemory-policy ${maxmemoryPolicy} says what goes at --maxmemory: give that too.`);
}

/** @throws StartError */
function validateAdmin({ admin, adminHosts }: Settings): void {
  if (admin === null && adminHosts.length > 0)
    fail("--admin-host names what --admin is asked for by: give --admin too.");
}

/** @throws StartError  with the cures */
function validateWeb(settings: Settings): void {
  const { ws, wsOrigins, wsCompress } = settings;
  if (ws === null) {
    if (wsOrigins.length > 0) fail("--ws-origin names whose pages --ws serves: give --ws too.");
    if (wsCompress) fail("--ws-compress has no effect, and there is no --ws: leave it out.");
    return;
  }
  if (!isSigned(settings))
    fail(
      "--ws takes signed commands only, as pages of any site can connect from the browsers on this machine: give -s public.pem.",
    );
  if (isLoopback(ws.address) !== true) refuseOpen(ws.address, settings);
}

/** Returns the differences from php-dbsync that --compat leaves. */
function differencesOf(chosen: Chosen): string[] {
  if (chosen("idleTimeout")) return [];
  const { idleTimeout } = LIMITS;
  const shown = formatLimit(idleTimeout, idleTimeout.fallback);
  return [`idle connections are closed after ${shown}, there 3s (--idle-timeout)`];
}
