/** Tests signatures of keys that are not in the ring: those of members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { signEnvelope } from "../../../../keys/signatures.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const bytes = Buffer.from("bytes");

test("each member's signatures are verified with its own key, however many members there are", () => {
  const signers = loadSigners({ signKey: [makeKeyPair().file], rootKey: [], clusterName: "dbsync" }, log);
  const members = Array.from({ length: 300 }, () => makeIdentity());
  const signatures = members.map(({ key }) => signEnvelope(bytes, key));
  for (let round = 0; round < 2; round++)
    for (const [index, { spki }] of members.entries()) {
      const signature = signatures[index] as Buffer;
      assert.ok(signers.verifyBy(spki, bytes, signature));
      assert.ok(!signers.verifyBy(spki, Buffer.from("other bytes"), signature));
      assert.ok(!signers.verifyBy(spki, bytes, signatures[index - 1] ?? Buffer.alloc(64)));
    }
});

test("bytes that are no key have signed nothing", () => {
  const signers = loadSigners({ signKey: [makeKeyPair().file], rootKey: [], clusterName: "dbsync" }, log);
  const signature = signEnvelope(bytes, makeIdentity().key);
  for (const spki of ["", "no key", bytesOf(signature)]) assert.ok(!signers.verifyBy(spki, bytes, signature));
});
