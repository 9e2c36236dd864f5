/** The mirror of the fold in another database, as the daemon's figures and TIMELINE REPAIR see it. */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { MirrorReport } from "../../../protocol/figures/timeline-figures.js";
import { integer, type Reply } from "../../../protocol/reply.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { custom, syntaxError } from "../../store/arguments/command-errors.js";
import type { Timeline } from "../../timeline/timeline.js";

export interface FoldMirror {
  readonly report: MirrorReport;
  /**
   * Compares all keys from the beginning.
   * @param takesOver  overwrites the data even if the database belongs to another daemon
   * @returns the comparison's number
   */
  repair(takesOver: boolean): number;
}

/**
 * TIMELINE REPAIR: compares the Redis that mirrors the fold with the fold. Source: docs/protocol-v2.md "TIMELINE".
 * @param argv  `TIMELINE REPAIR [TAKEOVER]`. @returns the number of the comparison. @throws CommandFailure
 */
export function repairMirror(argv: readonly ByteString[], mirror: FoldMirror | null): Reply {
  const [option, ...others] = argv.slice(2);
  if (others.length > 0 || (option !== undefined && option.toUpperCase() !== "TAKEOVER")) throw syntaxError();
  if (mirror === null) throw custom("ERR no Redis mirrors this daemon: it was started without -d redis");
  return integer(mirror.repair(option !== undefined));
}

/**
 * Returns sums of the entries that the state contains, or "" while some entries of the index are not applied. Entries
 * after a standstill are not applied until another release of dbsyncd runs.
 */
export function completeSums({ index, figures, standstill }: Timeline): string {
  if (figures.waiting > 0 || standstill !== null) return "";
  const ring = index.total("ring");
  const data = index.total("data");
  return `${ring.count}:${hexOf(ring.sum)}/${data.count}:${hexOf(data.sum)}`;
}
