/** TIMELINE STATUS: reports the state of the timeline and the members. Source: docs/protocol-v2.md "TIMELINE". */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Figures } from "../../../protocol/figures/figure.js";
import { figuresReply } from "../../../protocol/figures/figures-reply.js";
import { TIMELINE_FIGURES, UPTO_FIGURES } from "../../../protocol/figures/timeline-figures.js";
import type { Reply } from "../../../protocol/reply.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { DigestIndex } from "../../timeline/compare/digest-index.js";
import type { ReplicaFigures } from "./replica-figures.js";
import { readStatusUpTo } from "./timeline-arguments.js";

/** @param argv  `TIMELINE STATUS [UPTO ms]`. @throws CommandFailure */
export function status(argv: readonly ByteString[], figures: ReplicaFigures, index: DigestIndex): Reply {
  const upTo = readStatusUpTo(argv);
  if (upTo === null) return figuresReply(TIMELINE_FIGURES, figures);
  const table = { ...TIMELINE_FIGURES, ...UPTO_FIGURES };
  return figuresReply(table, { ...figures, ...upToFigures(upTo, index) });
}

/**
 * Returns the count and sum of the entries up to a whole second, so that daemons can be compared while clients write to
 * them.
 */
function upToFigures(upTo: number, index: DigestIndex): Figures<typeof UPTO_FIGURES> {
  const upto = Math.floor(upTo / 1000) * 1000;
  const sumOf = (set: "ring" | "data") => {
    const { count, sum } = index.digestUpTo(upto, set);
    return `${count}:${hexOf(sum)}`;
  };
  return { upto, ringUpto: sumOf("ring"), dataUpto: sumOf("data") };
}
