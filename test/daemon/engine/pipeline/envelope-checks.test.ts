/** Tests which commands a daemon refuses because of their signature, and the details that it logs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSigned, signerOfEnvelope } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import { NO_OBSERVER, type PipelineParts } from "../../../../daemon/engine/pipeline/pipeline-parts.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { double } from "../../../support/double.js";
import {
  makeKeyPair,
  type SignedEnvelope,
  shareSignature,
  signCommands,
} from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const signers = double<Signers>({});

for (const [isSigned, admission, code] of [
  [false, { signers: null, acceptsUnsigned: true }, null],
  [false, { signers: null, acceptsUnsigned: false }, "login-required"],
  [true, { signers: null, acceptsUnsigned: true }, "not-due"],
  [false, { signers, acceptsUnsigned: true }, "unsigned"],
  [true, { signers, acceptsUnsigned: false }, null],
] as const) {
  const command = isSigned ? "signed" : "unsigned";
  const keys = admission.signers === null ? "no keys" : "keys";
  const users = admission.acceptsUnsigned ? "open" : "closed";
  test(`${command} commands, a daemon with ${keys} and ${users} users: ${code ?? "accepted"}`, () => {
    assert.equal(checkSigned(isSigned, admission, "command")?.code ?? null, code);
  });
}

test("the detail of a refused signature distinguishes a plain one from one that is no shared signature", () => {
  const pair = makeKeyPair();
  const loaded = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const parts = double<PipelineParts>({ environment: { uptime: () => 0 }, observer: NO_OBSERVER });
  const signerOf = ({ id, body, signature }: SignedEnvelope) =>
    signerOfEnvelope(
      { kind: "command", body, signature },
      id,
      { signers: loaded, acceptsUnsigned: false },
      parts,
    );
  const sign = (decide: boolean) =>
    signCommands(pair, [["SET", "k", "v"]], { cluster: loaded.cluster, decide });
  const [decided, undecided] = shareSignature(pair, [sign(true), sign(false)]) as [
    SignedEnvelope,
    SignedEnvelope,
  ];
  const signer = signerOf(decided);
  assert.ok(signer !== null && "id" in signer && signer.id === pair.id);
  for (const [envelope, detail] of [
    [{ ...sign(true), signature: Buffer.alloc(64) }, "a signature of 64 bytes"],
    [
      undecided,
      "a signature of 99 bytes, which is no shared signature of format 1 for an envelope with decide",
    ],
  ] as const) {
    const refusal = signerOf(envelope);
    assert.ok(refusal !== null && "code" in refusal);
    assert.deepEqual([refusal.code, refusal.detail], ["bad-signature", detail]);
  }
});
