/** What TIMELINE STATUS says of the Redis that follows the fold, and TIMELINE REPAIR. Source: docs/protocol-v2.md "TIMELINE". */

import type { MirrorFace, MirrorFigures } from "../../engine/mirror/mirror-parts.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, type Reply } from "../../protocol/reply.js";
import { custom, syntaxError } from "../../store/arguments/errors.js";
import { namesAndValues } from "./unit-report.js";

/** @param argv  `TIMELINE REPAIR [TAKEOVER]`. @returns the number of the comparison. @throws CommandFailure */
export function repair(argv: readonly ByteString[], mirror: Pick<MirrorFace, "repair"> | null): Reply {
  const [option, ...others] = argv.slice(2);
  if (others.length > 0 || (option !== undefined && option.toUpperCase() !== "TAKEOVER")) throw syntaxError();
  if (mirror === null) throw custom("ERR no Redis mirrors this daemon: it was started without -d redis");
  return integer(mirror.repair(option !== undefined));
}

export function mirrorReply(figures: MirrorFigures): Reply {
  const { name, state, trouble, level, dirty, written, refused, foreign, different } = figures;
  const { comparing, compared } = figures;
  return map(
    namesAndValues({
      redis: bulk(bytesOfText(name)),
      state: bulk(state),
      trouble: trouble === null ? NIL : bulk(bytesOfText(trouble)),
      level: integer(level.at),
      dirty: integer(dirty),
      written: integer(written),
      refused: integer(refused),
      foreign: integer(foreign),
      different: integer(different),
      comparing: integer(comparing?.number ?? 0),
      "comparing-why": comparing === null ? NIL : bulk(bytesOfText(comparing.reason)),
      checked: integer(comparing?.checked ?? 0),
      total: integer(comparing?.total ?? 0),
      compared: integer(compared?.number ?? 0),
      "compared-at": integer(compared?.at ?? 0),
      "compared-keys": integer(compared?.checked ?? 0),
      "compared-different": integer(compared?.different ?? 0),
      "compared-first": array((compared?.named ?? []).map(bulk)),
    }),
  );
}
