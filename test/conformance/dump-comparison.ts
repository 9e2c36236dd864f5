/** Compares DUMP: each side restores what the other has dumped, and must find the same value. */

import "../support/installed-families.js";
import { Database } from "../../daemon/store/database.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Incomparable } from "./comparison.js";
import { folded, sameReply } from "./resp2-fold.js";
import { contentsOfReply, READERS, textOf } from "./state.js";

/** A key that no grammar uses. */
const COPY = "\0copy";

export const dumped: Incomparable = {
  reason:
    "the store dumps the simplest form, which redis-server can restore; redis-server dumps its own encodings",
  compare: (call) => {
    const { argv, ours, run } = call;
    if (ours.kind !== "bulk") return undefined;

    const key = argv[1] as ByteString;
    const type = textOf(run(["TYPE", key]));
    const reader = READERS[type]!;
    const contents = contentsOfReply(type, run(reader(key)));

    return {
      ask: [["RESTORE", COPY, "0", ours.bytes], ["TYPE", COPY], reader(COPY), ["DEL", COPY], argv],
      agree: ([restored, restoredType, restoredContents, , payload]) => {
        if (restored?.kind !== "status" || textOf(restoredType!) !== type || payload?.kind !== "bulk")
          return false;
        if (contentsOfReply(type, restoredContents!) !== contents) return false;

        const database = new Database();
        const unit = { at: 0, db: 0, id: "" };
        database.execute(["RESTORE", COPY, "0", payload.bytes], unit);
        const back = folded(database.execute(reader(COPY), unit));
        return (
          contentsOfReply(type, back) === contents &&
          sameReply(database.execute(["TYPE", COPY], unit), restoredType!)
        );
      },
    };
  },
};
