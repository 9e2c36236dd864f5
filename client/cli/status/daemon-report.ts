/** A table of what daemons say of themselves, for people. */
import type { Stage } from "../../shared/errors.js";
import { formatTable } from "../shared/table.js";

/** Hexadecimal digits of an id that people are shown. */
const SHORT_DIGITS = 12;

/** Ids are hexadecimal, times milliseconds; null: not known. */
export interface ShownDaemon {
  readonly address: string;
  readonly versions: readonly number[];
  readonly daemon: string | null;
  readonly cluster: string | null;
  /** Whether that is another one than the option says, or than most daemons'. */
  readonly clusterDiffers: boolean;
  readonly state: string | null;
  readonly clockDifference: number | null;
  readonly roundTrip: number | null;
  /** Why there is no greeting. */
  readonly stage: Stage | null;
}

export function formatDaemons(daemons: readonly ShownDaemon[]): string {
  const head = ["ADDRESS", "VERSIONS", "DAEMON", "CLUSTER", "STATE", "CLOCK", "ROUND TRIP"];
  const rows = daemons.map((each) => [
    each.address,
    each.versions.join(" ") || "-",
    short(each.daemon),
    `${short(each.cluster)}${each.clusterDiffers ? " (!)" : ""}`,
    each.state ?? each.stage ?? "-",
    each.clockDifference === null
      ? "-"
      : `${each.clockDifference < 0 ? "" : "+"}${each.clockDifference.toFixed(0)} ms`,
    each.roundTrip === null ? "-" : `${each.roundTrip.toFixed(1)} ms`,
  ]);
  return formatTable([head, ...rows]);
}

export function short(id: string | null): string {
  return id === null ? "-" : id.slice(0, SHORT_DIGITS);
}
