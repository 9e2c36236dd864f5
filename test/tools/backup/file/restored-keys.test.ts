/** Tests the restore of keys by a program that does not contain the code of DUMP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { DATABASES_DEFAULT } from "../../../../daemon/store/database.js";
import { restoredKeys } from "../../../../tools/backup/file/restored-backup.js";
import { double } from "../../../support/double.js";

test("keys are not restored without the code of DUMP, and the error names another way", () => {
  const keys = restoredKeys({
    file: "monday.dbsync",
    at: null,
    db: 0,
    isWanted: () => true,
    signers: double<Signers>({}),
    databases: DATABASES_DEFAULT,
    onNotice: () => {},
  });
  assert.throws(() => keys.next(), {
    name: "NotRestored",
    message:
      /^monday\.dbsync: nothing was restored from it: this build does not contain the code of DUMP .*\. .* \(--data\)$/,
  });
});
