/** The state of a mirror in figures, and their form in TIMELINE STATUS and in metrics. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { MirrorReport } from "../../protocol/figures/timeline-figures.js";

export interface ComparisonReport {
  /** The number of the comparison, counted from 1. */
  readonly number: number;
  readonly reason: string;
  /** The number of keys compared so far, out of about `total`. */
  readonly checked: number;
  readonly total: number;
  /** The number of keys of this comparison that differed. */
  readonly different: number;
  /** The first keys that differed. */
  readonly named: readonly ByteString[];
}

/** Numbers of keys since the start. */
export interface MirrorCounts {
  /** Keys that the mirror has written. */
  written: number;
  /** Keys that Redis refused. */
  refused: number;
  /** Keys that other clients changed in Redis, and that the mirror writes again. */
  foreign: number;
}

export interface MirrorFigures extends Readonly<MirrorCounts> {
  /** The name of the Redis server, without a password. */
  readonly name: string;
  readonly state: "connecting" | "refused" | "comparing" | "behind" | "level";
  /** The reason why the mirror does not write, or null if it writes. */
  readonly trouble: string | null;
  /** The position in the order up to which Redis has all changes; `at` in milliseconds since 1970. */
  readonly level: { readonly at: number; readonly seq: number };
  /** The number of keys that wait to be written. */
  readonly dirty: number;
  /** The number of differing keys that all comparisons since the start have found. */
  readonly different: number;
  /** The comparison in progress, or null. */
  readonly comparing: ComparisonReport | null;
  /**
   * The last comparison whose differences have all been written or refused, or null if there is none; `at` in
   * milliseconds since 1970.
   */
  readonly compared: (ComparisonReport & { readonly at: number }) | null;
}

/** Converts a mirror's figures to the fields of TIMELINE STATUS and of metrics, in which 0 means no comparison. */
export function mirrorReport(figures: MirrorFigures): MirrorReport {
  const { name, level, comparing, compared } = figures;
  return {
    ...figures,
    redis: name,
    level: level.at,
    comparing: comparing?.number ?? 0,
    comparingWhy: comparing?.reason ?? null,
    checked: comparing?.checked ?? 0,
    total: comparing?.total ?? 0,
    compared: compared?.number ?? 0,
    comparedAt: compared?.at ?? 0,
    comparedKeys: compared?.checked ?? 0,
    comparedDifferent: compared?.different ?? 0,
    comparedFirst: compared?.named ?? [],
  };
}
