/** Implements SLOWLOG GET for all protocols. Texts: redis-server 7.0. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, bulks, integer, type Reply } from "../../../protocol/reply.js";
import { custom } from "../../store/arguments/command-errors.js";
import { parseInteger } from "../../store/arguments/number-arguments.js";
import type { SlowLog } from "./slow-log.js";

const ENTRIES_DEFAULT = 10;

/** @param argv  `SLOWLOG GET [count]`; -1 returns all entries. @throws CommandFailure */
export function slowLogReply(argv: readonly ByteString[], { entries }: SlowLog): Reply {
  if (argv.length > 3)
    throw custom(`ERR unknown subcommand or wrong number of arguments for '${argv[1]}'. Try SLOWLOG HELP.`);
  const count = argv[2] === undefined ? ENTRIES_DEFAULT : parseInteger(argv[2]);
  if (count === undefined || count < -1) throw custom("ERR count should be greater than or equal to -1");
  const selected = count === -1 ? entries : entries.slice(0, Number(count));
  return array(
    selected.map(({ id, at, microseconds, argv: words, remote, name }) =>
      array([integer(id), integer(at), integer(microseconds), bulks(words), bulk(remote), bulk(name)]),
    ),
  );
}
