/** Tests signatures of keys that are not in the ring: those of members. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { signEnvelope } from "../../../../keys/signatures.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";
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

test("a key's file name is its label, so it has the limits of a label", () => {
  using folder = new ScratchFolder();
  const load = (name: string, option: "signKey" | "rootKey" = "signKey") => {
    const file = join(folder.path, name);
    copyFileSync(makeKeyPair().file, file);
    const paths = { signKey: [] as string[], rootKey: [] as string[], clusterName: "dbsync" };
    paths[option].push(file);
    return [...loadSigners(paths, log).ring.all()].map(({ label }) => label);
  };
  assert.deepEqual(load(`${"x".repeat(128)}.pem`), ["x".repeat(128)]);
  for (const option of ["signKey", "rootKey"] as const) {
    assert.throws(
      () => load(`${"x".repeat(129)}.pem`, option),
      /label has 129 bytes, more than 128\. Rename the file/,
    );
    assert.throws(() => load("a\u202eb.pem", option), /cannot contain control characters.*Rename the file/);
  }
});

test("bytes that are no key have signed nothing", () => {
  const signers = loadSigners({ signKey: [makeKeyPair().file], rootKey: [], clusterName: "dbsync" }, log);
  const signature = signEnvelope(bytes, makeIdentity().key);
  for (const spki of ["", "no key", bytesOf(signature)]) assert.ok(!signers.verifyBy(spki, bytes, signature));
});
