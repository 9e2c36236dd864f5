/** Tests which commands a daemon refuses because of their signature, before it checks the signature. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSigned } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { double } from "../../../support/double.js";

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
