/** CONFIG GET, SET, RESETSTAT, REWRITE. Texts: redis-server 7.0. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, map, OK, type Reply } from "../../../protocol/reply.js";
import { custom, syntaxError } from "../../../store/errors.js";
import { globMatches } from "../../../store/glob.js";
import { parseInteger } from "../../../store/numbers.js";
import type { Limits } from "../../limits.js";
import { boundsOf, FIXED_SETTINGS, LIMIT_SETTINGS, type LimitSetting, limitText } from "./config-table.js";
import type { RespSession, SessionHandler } from "./session.js";

export const configHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["CONFIG|GET", get],
  ["CONFIG|RESETSTAT", resetStat],
  [
    "CONFIG|REWRITE",
    () => {
      throw custom("ERR The server is running without a config file that it may write");
    },
  ],
  ["CONFIG|SET", setAll],
];

const UNITS: Readonly<Record<string, number>> = {
  ...{ "": 1, b: 1, k: 1000, kb: 1024, m: 1000 ** 2, mb: 1024 ** 2, g: 1000 ** 3, gb: 1024 ** 3 },
};

/** `CONFIG GET pattern [pattern …]` */
function get(session: RespSession, argv: readonly ByteString[]): Reply {
  const patterns = argv.slice(2).map((pattern) => pattern.toLowerCase());
  const values: [string, () => string][] = [
    ...Object.entries(LIMIT_SETTINGS).map(([name, setting]): [string, () => string] => [
      name,
      () => limitText(setting, session),
    ]),
    ...Object.entries(FIXED_SETTINGS).map(([name, value]): [string, () => string] => [
      name,
      () => value(session),
    ]),
  ];
  const found = values.filter(([name]) => patterns.some((pattern) => globMatches(pattern, name)));
  // A name is answered as it was asked for.
  const asked = new Map(argv.slice(2).map((name) => [name.toLowerCase(), name]));
  return map(found.flatMap(([name, value]) => [bulk(asked.get(name) ?? name), bulk(value())]));
}

/** `CONFIG SET name value [name value …]`: all of them, or none. */
function setAll(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 1) throw syntaxError();
  const changes: Partial<Record<keyof Limits, number>> = {};
  const seen = new Set<string>();
  const names = argv.filter((_, i) => i >= 2 && i % 2 === 0);
  for (const name of names) {
    const known = name.toLowerCase();
    if (!Object.hasOwn(LIMIT_SETTINGS, known) && !Object.hasOwn(FIXED_SETTINGS, known))
      throw custom(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`);
  }
  for (const [i, name] of names.entries()) {
    const known = name.toLowerCase();
    const value = argv[2 * i + 3] as ByteString;
    if (seen.has(known)) throw refusal(name, "duplicate parameter");
    seen.add(known);
    const setting = LIMIT_SETTINGS[known];
    if (setting !== undefined) changes[setting.limit] = parsed(setting, name, value);
    // What is so already may be wished for.
    else if (FIXED_SETTINGS[known]?.(session) !== value) throw refusal(name, "can't set immutable config");
  }
  session.host.limits = { ...session.host.limits, ...changes };
  return OK;
}

function parsed(setting: LimitSetting, name: ByteString, text: ByteString): number {
  const [least, most] = boundsOf(setting);
  const value = setting.isMemory ? memory(text) : parseInteger(text);
  if (value === undefined)
    throw refusal(
      name,
      setting.isMemory ? "argument must be a memory value" : "argument couldn't be parsed into an integer",
    );
  if (value < least || value > most)
    throw refusal(name, `argument must be between ${least} and ${most} inclusive`);
  return value < 0 ? Number.POSITIVE_INFINITY : Number(value) * setting.scale;
}

function memory(text: ByteString): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})([a-z]{0,2})$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

function refusal(name: ByteString, problem: string) {
  return custom(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`);
}

function resetStat({ host }: RespSession): Reply {
  host.state.resetCounts();
  return OK;
}
