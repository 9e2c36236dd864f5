/** `dbsync repair`: makes a daemon compare its mirror in Redis with its own state, and repair the differences. */
import type { Command } from "commander";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { countText } from "../../protocol/figures/amount-texts.js";
import { MIRROR_FIGURES, type MirrorReport } from "../../protocol/figures/timeline-figures.js";
import { addClientOptions, type ClientFlags, readSettings } from "../cli/shared/client-options.js";
import { exitCodeHelp } from "../cli/shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "../cli/shared/output.js";
import { progressOf, showProgress } from "../cli/shared/progress.js";
import { fieldsOf, readFigures } from "../cli/shared/read-figures.js";
import { type HistoryQuery, queryHistory } from "./history-queries.js";

interface RepairFlags extends ClientFlags {
  readonly takeOver?: boolean;
}

const POLL_MS = 200;
/** Time after which a mirror or a daemon counts as unreachable, in milliseconds. */
const TIMEOUT_MS = 10_000;

type SameFigures = "redis" | "state" | "trouble" | "checked" | "total" | "compared";

/** The mirror as TIMELINE STATUS reports it, with the result of the last completed comparison. */
interface MirrorStatus extends Pick<MirrorReport, SameFigures> {
  readonly keys: number;
  readonly different: number;
  readonly first: readonly string[];
}

export function addRepairMirror(program: Command): void {
  addClientOptions(
    program
      .command("repair")
      .description("compare a daemon's mirror in Redis with the daemon, and repair the differences"),
    TIMEOUT_MS,
  )
    .option(
      "--take-over",
      "repair even if the Redis is another daemon's mirror, or has keys of other programs, which are deleted (one server)",
    )
    .option(
      JSON_FLAG,
      'print JSON, a line for each daemon: {"daemon": …, "redis": …, "keys": …, "different": …}',
    )
    .addHelpText(
      "after",
      `
For administrators (-k) of daemons with -d redis in addition to --data or --peer. The daemon continues to answer during the comparison. It detects
most writes of other programs to its mirror immediately and repairs them; use this command to be certain.

Examples:
  dbsync repair -s 127.0.0.1 -k root-private.pem
  dbsync repair -s db1 -k root-private.pem --take-over
${exitCodeHelp("a mirror could not be compared and repaired")}`,
    )
    .action(repair);
}

async function repair({ takeOver = false, ...flags }: RepairFlags): Promise<void> {
  const { servers } = readSettings(flags);
  if (takeOver && servers.length > 1)
    throw new DbsyncError("bad-option", "--take-over is for one daemon at a time: specify it with -s");
  for (const { text } of servers) {
    await queryHistory({ ...flags, servers: text }, async (query) => {
      const report = await repaired(query, takeOver, flags.timeout ?? TIMEOUT_MS);
      if (flags.json) printJson({ daemon: text, ...report });
      else printReport(text, report);
    });
  }
}

/**
 * Runs a comparison and returns its result.
 * @throws DbsyncError  the comparison could not be started, or the Redis cannot be written
 */
async function repaired(query: HistoryQuery, takeOver: boolean, timeout: number): Promise<MirrorStatus> {
  const { reply } = await query(["TIMELINE", "REPAIR", ...(takeOver ? ["TAKEOVER"] : [])]);
  const number = Number(reply);
  let status = await mirrorOf(query);
  const since = performance.now();
  let writtenAt = since;
  using _ = showProgress(() => progressOf(status.checked, status.total, "keys", since));

  while (status.compared < number) {
    const now = performance.now();
    if (status.trouble === null) writtenAt = now;
    if (now - writtenAt > timeout)
      throw new DbsyncError("refused", `${status.redis} cannot be written: ${status.trouble}`);
    await new Promise<void>((resolve) => void realEnvironment.setTimer(POLL_MS, resolve));
    status = await mirrorOf(query);
  }
  return status;
}

async function mirrorOf(query: HistoryQuery): Promise<MirrorStatus> {
  const { reply } = await query(["TIMELINE", "STATUS"]);
  const report = readFigures(MIRROR_FIGURES, fieldsOf(reply)["mirror"] ?? null);
  const { redis, state, trouble, checked, total, compared } = report;
  const { comparedKeys: keys, comparedDifferent: different, comparedFirst: first } = report;
  return { redis, state, trouble, checked, total, compared, keys, different, first };
}

function printReport(daemon: string, { redis, keys, different, first }: MirrorStatus): void {
  const found =
    different === 0
      ? "none differed"
      : `${different} differed and ${different === 1 ? "is" : "are"} repaired`;
  printLine(`${daemon}: ${redis}: ${countText(keys)} keys compared, ${found}`);
  for (const key of first) printLine(`  ${JSON.stringify(key)}`);
  if (different > first.length) printLine("  …");
}
