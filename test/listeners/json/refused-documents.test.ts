/** --json-replica: a follower that refuses a document of its leader lacks it. It says so, and leads nobody who has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../daemon/replicas.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask, type JsonScene, startJson, startJsonAlone } from "./scene.js";

const PARTS = 10;
const LACKING = /is refused here; this one leads no daemon/;
const REFUSED = /a JSON replica refuses what was written here/;
const text = "x".repeat(20_000);
const insert = { action: "insert", document: "big", data: [{ text: "small" }] };
const count = { action: "count", document: "big" };

interface Met {
  readonly id: string;
  readonly claim: { readonly id: string; readonly term: number };
  readonly isLevel: boolean;
}

/** Whom a daemon follows, and whether it has all. */
async function met(port: number): Promise<Met> {
  using client = await RawClient.open(port);
  const claim = { term: 0, place: 0, since: 9e14, id: "x" };
  return JSON.parse(
    await ask(client, { action: "replica", does: "meet", id: "x", claim, counts: {} }),
  ) as Met;
}

const isLogged = ({ log }: JsonScene, what: RegExp) => log.some(({ msg }) => what.test(msg));

/** One with a document that is longer than the second one takes; the third one takes it. */
async function startThree() {
  const ports = [await freePort(), await freePort(), await freePort()];
  const others = (port: number) => ports.filter((one) => one !== port);
  const [a, b, c] = ports as [number, number, number];
  const first = await startJsonAlone({ port: a, replicas: others(a) });
  using client = await RawClient.open(a);
  await ask(client, { action: "create", document: "big" });
  for (let n = 0; n < PARTS; n++) await ask(client, { ...insert, data: [{ text }] });
  // What it is told in one answer is as short.
  const limits = { maxOutputBytes: 64 * 1024 };
  const second = await startJson({ port: b, replicas: others(b), limits });
  const third = await startJson({ port: c, replicas: others(c) });
  await until("the second one has refused the document", async () => isLogged(first, REFUSED));
  await until("the third one has all", async () => {
    const { claim, isLevel } = await met(c);
    return claim.id === (await met(a)).id && isLevel;
  });
  return { first, second, third };
}

test("a write to a document that the client's own server has refused is not said to be there", async () => {
  const { first, second, third } = await startThree();
  try {
    using client = await RawClient.open(second.port);
    assert.match(await ask(client, { action: "create", document: "other" }), /"success".*"replicated":true/);
    assert.match(await ask(client, insert), /"success".*"replicated":false/);
    assert.equal((await met(second.port)).isLevel, false);
    assert.ok(isLogged(second, LACKING));
    using other = await RawClient.open(third.port);
    assert.match(await ask(other, insert), /"replicated":true/);
    assert.match(await ask(other, count), new RegExp(`"count":${PARTS + 2}`));
  } finally {
    for (const one of [third, second, first]) await one[Symbol.asyncDispose]();
  }
});

test("who has refused a document does not lead who has it", async () => {
  const { first, second, third } = await startThree();
  try {
    await first[Symbol.asyncDispose]();
    const { id } = await met(third.port);
    await until("both follow the one that has all", async () => {
      const claims = [(await met(second.port)).claim, (await met(third.port)).claim];
      return claims.every((claim) => claim.id === id);
    });
    using client = await RawClient.open(third.port);
    assert.match(await ask(client, count), new RegExp(`"count":${PARTS}`));
  } finally {
    for (const one of [third, second]) await one[Symbol.asyncDispose]();
  }
});

test("who has refused a document, and is left alone, gives way to anybody", async () => {
  const { first, second, third } = await startThree();
  try {
    await third[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const leads = async () => {
      const { id, claim } = await met(second.port);
      return claim.id === id;
    };
    await until("it leads itself", leads);
    assert.equal((await met(second.port)).claim.term, 0);
  } finally {
    await second[Symbol.asyncDispose]();
  }
});

test("who has refused a document has all once it has got it", async () => {
  const { first, second, third } = await startThree();
  try {
    second.reload({ maxOutputBytes: 8 * 1024 * 1024 });
    await until("it has all", async () => (await met(second.port)).isLevel);
    using client = await RawClient.open(second.port);
    assert.match(await ask(client, insert), /"replicated":true/);
    assert.match(await ask(client, count), new RegExp(`"count":${PARTS + 1}`));
  } finally {
    for (const one of [third, second, first]) await one[Symbol.asyncDispose]();
  }
});
