/** Tests the rules for settings that concern several options. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseSamePlaces } from "../../../daemon/options/settings-rules.js";

const LISTENERS = ["admin", "resp", "ws"] as const;
const names = ["port", ...LISTENERS] as const;

/** Returns the refusal of listeners that use ports of 127.0.0.1, or null. */
function refusal(ports: Readonly<Partial<Record<(typeof names)[number], number>>>): string | null {
  const settings = {
    bind: "127.0.0.1",
    port: ports.port ?? 1,
    table: { listeners: LISTENERS },
    ...Object.fromEntries(
      LISTENERS.map((name) => {
        const { [name]: port } = ports;
        return [name, port === undefined ? null : { address: "127.0.0.1", port }];
      }),
    ),
  };
  try {
    refuseSamePlaces(settings as unknown as Parameters<typeof refuseSamePlaces>[0]);
    return null;
  } catch (problem) {
    return (problem as Error).message;
  }
}

test("any two listeners with the same port are refused, and the refusal names both", () => {
  for (const [at, later] of names.entries())
    for (const earlier of names.slice(0, at))
      assert.equal(
        refusal({ [earlier]: 7001, [later]: 7001 }),
        `--${later} and ${earlier === "port" ? "-p" : `--${earlier}`} both use port 7001 of 127.0.0.1: set a different port for each.`,
      );
});

test("listeners with different ports, without an address, or with a free port are accepted", () => {
  assert.equal(refusal({}), null);
  assert.equal(refusal({ port: 7001, admin: 7002, resp: 7003, ws: 7004 }), null);
  assert.equal(refusal({ port: 0, admin: 0, resp: 0 }), null);
});
