/** Tests that the work for a JSON client ends when the client has disconnected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DocumentClient } from "../../../../faces/json/actions/document-client.js";
import { PasswordSecrets } from "../../../../faces/users/password-secrets.js";
import type { UserSocketHost } from "../../../../faces/users/user-listener.js";
import { Users } from "../../../../faces/users/users.js";
import { double } from "../../../support/double.js";
import { slowEnvironment } from "../../../support/slow-environment.js";

test("an answer in steps ends when its client has disconnected", async () => {
  const environment = slowEnvironment();
  const users = new Users(null, new PasswordSecrets(environment));
  const client = new DocumentClient(double<UserSocketHost>({ environment, users }), null);
  let steps = 0;
  function* endless(): Generator<void, string> {
    for (;;) {
      steps++;
      yield;
    }
  }
  assert.ok(client.inTurns(endless()) instanceof Promise);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  const before = steps;
  await turn();
  assert.ok(steps > before, "it continues while the client is connected");
  client.leave();
  const atEnd = steps;
  await turn();
  await turn();
  assert.equal(steps, atEnd);
});
