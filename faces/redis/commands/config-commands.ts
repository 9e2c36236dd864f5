/** The commands CONFIG GET, SET, RESETSTAT and REWRITE. Texts: redis-server 7.0. */

import { custom, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { globMatches } from "../../../daemon/store/patterns/glob.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, map, OK, type Reply } from "../../../protocol/reply.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import type { Setting } from "./config-setting.js";
import { SETTINGS } from "./config-table.js";

export const configHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["CONFIG|GET", get],
  ["CONFIG|RESETSTAT", resetStat],
  [
    "CONFIG|REWRITE",
    () => {
      throw custom("ERR The server has no config file that it may write");
    },
  ],
  ["CONFIG|SET", setAll],
];

/** `CONFIG GET pattern [pattern …]` */
function get(session: RespSession, argv: readonly ByteString[]): Reply {
  const patterns = argv.slice(2).map((pattern) => pattern.toLowerCase());
  const found = Object.entries(SETTINGS).filter(([name]) =>
    patterns.some((pattern) => globMatches(pattern, name)),
  );
  // The reply repeats each name as the client spelled it.
  const spellings = new Map(argv.slice(2).map((name) => [name.toLowerCase(), name]));
  return map(found.flatMap(([name, { text }]) => [bulk(spellings.get(name) ?? name), bulk(text(session))]));
}

/** `CONFIG SET name value [name value …]`. It sets either all values or none. */
function setAll(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 1) throw syntaxError();
  const names = argv.filter((_, i) => i >= 2 && i % 2 === 0);
  const seen = new Set<string>();
  const settings = names.map((name) => {
    const known = name.toLowerCase();
    if (!Object.hasOwn(SETTINGS, known))
      throw custom(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`);
    return SETTINGS[known] as Setting;
  });
  const steps: (() => void)[] = [];
  for (const [i, setting] of settings.entries()) {
    const name = names[i] as ByteString;
    if (seen.has(name.toLowerCase())) throw refusal(name, "duplicate parameter");
    seen.add(name.toLowerCase());
    const step = setting.prepare(session, argv[2 * i + 3] as ByteString);
    if (typeof step === "string") throw refusal(name, step);
    steps.push(step);
  }
  for (const step of steps) step();
  return OK;
}

function refusal(name: ByteString, problem: string) {
  return custom(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`);
}

function resetStat({ server }: RespSession): Reply {
  server.resetCounts();
  if (server.path.changes !== null) Object.assign(server.path.changes.lookups, { hits: 0, misses: 0 });
  server.host.rejected = 0;
  return OK;
}
