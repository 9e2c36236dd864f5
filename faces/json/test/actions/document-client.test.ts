/** Tests that the work for a JSON client ends when the client has disconnected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { double } from "../../../../test/support/double.js";
import { slowEnvironment } from "../../../../test/support/slow-environment.js";
import { PasswordSecrets } from "../../../users/password-secrets.js";
import type { UserSocketHost } from "../../../users/user-listener.js";
import { Users } from "../../../users/users.js";
import { DocumentClient } from "../../actions/document-client.js";

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
