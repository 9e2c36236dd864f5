/** The ACL commands: the users of the listener, and their permissions. Texts: redis-server 7.0. */

import { StartError } from "../../../daemon/net/process/service.js";
import { CommandFailure, custom, notInteger } from "../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import { commands, commandTable } from "../../../daemon/store/command-table.js";
import {
  CATEGORIES,
  type NormalRules,
  RULE_MISTAKES,
  UNCLOSED,
  WrongRule,
} from "../../../daemon/store/rights/acl-rules.js";
import { categoriesOf } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  bulks,
  double,
  integer,
  map,
  NIL,
  OK,
  type Reply,
  set,
} from "../../../protocol/reply.js";
import { readUsersAgain, requirePasswords } from "../../users/read-users.js";
import { refusalOf } from "../../users/user-session.js";
import { DEFAULT_USER, flagsOf, userLine } from "../../users/users.js";
import { objectOf } from "../session/refused-commands.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";

export const aclHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["ACL|CAT", categories],
  ["ACL|DELUSER", removeUsers],
  ["ACL|DRYRUN", dryRun],
  ["ACL|GENPASS", makePassword],
  ["ACL|GETUSER", getUser],
  ["ACL|LIST", ({ server }) => bulks([...server.host.users.all()].map(userLine).sort())],
  ["ACL|LOAD", load],
  ["ACL|LOG", log],
  ["ACL|SAVE", save],
  ["ACL|SETUSER", setUser],
  ["ACL|USERS", ({ server }) => bulks([...server.host.users.all()].map(({ name }) => name).sort())],
  ["ACL|WHOAMI", ({ as }) => bulk(as ?? "")],
];

const PASSWORD_BITS_DEFAULT = 256;
const PASSWORD_BITS_MAX = 4096;
const LOG_ENTRIES_DEFAULT = 10;

/** `ACL CAT [category]` */
function categories(_: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 3) throw tooMany(argv);
  const word = argv[2]?.toLowerCase();
  if (word === undefined) return bulks(CATEGORIES);
  if (!CATEGORIES.includes(word)) throw custom(`ERR Unknown category '${argv[2]}'`);
  return bulks(
    commands.filter((command) => categoriesOf(command).includes(word)).map(({ name }) => name.toLowerCase()),
  );
}

const tooMany = (argv: readonly ByteString[]) =>
  custom(`ERR unknown subcommand or wrong number of arguments for '${argv[1]}'. Try ACL HELP.`);

function getUser({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const user = server.host.users.find(argv[2] as ByteString);
  if (user === undefined) return NIL;
  const { passwords, channels, acl } = user;
  const [root, ...selectors] = acl.normalForm;
  return map([
    ...[bulk("flags"), set(flagsOf(user).map(bulk))],
    ...[bulk("passwords"), bulks(passwords.map((hash) => hash.toString("hex")))],
    ...rulesOf(root, channels === null ? "&*" : channels.map((channel) => `&${channel}`).join(" ")),
    ...[bulk("selectors"), array(selectors.map((rules) => map(rulesOf(rules, ""))))],
  ]);
}

function rulesOf(rules: NormalRules | undefined, channels: ByteString): Reply[] {
  const { commands: text = "", keys = "" } = rules ?? {};
  return [bulk("commands"), bulk(text), bulk("keys"), bulk(keys), bulk("channels"), bulk(channels)];
}

/** `ACL SETUSER name [rule …]` */
function setUser({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const [, , name = "", ...rules] = argv;
  if (/[\0 ]/.test(name)) throw custom("ERR Usernames can't contain spaces or null characters");

  try {
    const changed = server.host.users.changed(name, rules);
    return withErrors(() => {
      requirePasswords(changed, server.daemon.settings);
      server.host.users.replaceAll(changed);
    });
  } catch (problem) {
    throw problem instanceof WrongRule ? redisMessageOf(problem) : problem;
  }
}

function redisMessageOf({ modifier, problem, mistake }: WrongRule): CommandFailure {
  if (problem === UNCLOSED)
    return custom(`ERR Unmatched parenthesis in acl selector starting at '${modifier}'.`);
  const text = mistake === null ? problem : RULE_MISTAKES[mistake];
  return custom(`ERR Error in ACL SETUSER modifier '${modifier}': ${text}`);
}

function removeUsers(session: RespSession, argv: readonly ByteString[]): Reply {
  const names = argv.slice(2);
  if (names.includes(DEFAULT_USER)) throw custom("ERR The 'default' user cannot be removed");
  const removed = new Set(names.filter((name) => session.server.host.users.remove(name)));
  for (const client of session.server.clients.all()) {
    if (!removed.has(client.userName ?? "")) continue;
    if (client === session) client.endAfterAnswer();
    else client.kill();
  }
  return integer(removed.size);
}

/** `ACL DRYRUN user command [argument …]` */
function dryRun({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const user = server.host.users.find(argv[2] as ByteString);
  if (user === undefined) throw custom(`ERR User '${argv[2]}' not found`);

  const called = argv.slice(3);
  const command = commandTable.resolve(called);
  if (command instanceof CommandFailure) {
    if (!/unknown command/.test(command.message)) throw command;
    throw custom(`ERR Command '${called[0]}' not found`);
  }
  const refusal = refusalOf(user, command, called);
  if (refusal === null) return OK;

  const action = {
    command: () => `run the '${command.name.toLowerCase()}' command`,
    key: () => `access the '${objectOf(command, refusal)}' key`,
    channel: () => `access the '${objectOf(command, refusal)}' channel`,
  }[refusal.what]();
  return bulk(`This user has no permissions to ${action}`);
}

/** `ACL GENPASS [bits]` */
function makePassword({ server }: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 3) throw tooMany(argv);
  const bits = argv[2] === undefined ? PASSWORD_BITS_DEFAULT : parseInteger(argv[2]);
  if (bits === undefined) throw notInteger();
  if (bits <= 0 || bits > PASSWORD_BITS_MAX)
    throw custom(
      `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${PASSWORD_BITS_MAX}`,
    );
  const digits = Math.ceil(Number(bits) / 4);
  const bytes = server.environment.randomBytes(Math.ceil(digits / 2));
  return bulk(Buffer.from(bytes, "latin1").toString("hex").slice(0, digits));
}

/** Returns the path of the users file. @throws CommandFailure  there is no such file */
function aclFile({ server }: RespSession): string {
  const { aclFile: file } = server.daemon.settings;
  if (file === null) throw custom("ERR this daemon has no users file: start it with --acl-file");
  return file;
}

function load(session: RespSession): Reply {
  const { host, daemon } = session.server;
  const settings = { ...daemon.settings, aclFile: aclFile(session) };
  return withErrors(() => host.users.replaceAll(readUsersAgain(host.users, settings)));
}

function save(session: RespSession): Reply {
  const lines = [...session.server.host.users.all()].map(userLine).sort();
  return withErrors(() => session.server.host.users.save(aclFile(session), lines));
}

function withErrors(step: () => void): Reply {
  try {
    step();
  } catch (problem) {
    if (!(problem instanceof StartError)) throw problem;
    throw custom(`ERR ${problem.message}`);
  }
  return OK;
}

/** `ACL LOG [count|RESET]` */
function log({ server }: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length > 3) throw tooMany(argv);
  const { denied } = server;
  if (argv[2]?.toUpperCase() === "RESET") {
    denied.reset();
    return OK;
  }

  const count = argv[2] === undefined ? LOG_ENTRIES_DEFAULT : parseInteger(argv[2]);
  if (count === undefined) throw notInteger();

  const now = server.environment.clock();
  return array(
    denied.entries
      .slice(0, Math.max(0, Number(count)))
      .map(({ at, client, userName, ...entry }) =>
        map([
          ...[bulk("count"), integer(entry.count)],
          ...[bulk("reason"), bulk(entry.reason)],
          ...[bulk("context"), bulk(entry.context)],
          ...[bulk("object"), bulk(entry.object)],
          ...[bulk("username"), bulk(userName)],
          ...[bulk("age-seconds"), double((now - at) / 1000)],
          ...[bulk("client-info"), bulk(client)],
        ]),
      ),
  );
}
