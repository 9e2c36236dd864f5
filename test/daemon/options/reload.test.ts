/** Every option either holds at once after SIGHUP, or is named as one that needs a restart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommandLine } from "../../../daemon/command-line.js";
import { LIMITS, type LimitRow } from "../../../daemon/options/limits.js";
import { optionTable } from "../../../daemon/options/options.js";
import { reloaded, restartNames } from "../../../daemon/options/restart-names.js";
import type { Settings } from "../../../daemon/options/settings.js";

/** What is no setting: how a daemon is asked for them. */
const NO_SETTINGS = new Set(["config", "check-config", "help-all", "version", "help"]);

/** Of some daemon. */
const PIN = `#ed25519:${"ab".repeat(32)}`;

/** For each option that is no limit another value than the default, with what it cannot stand without. */
const OTHERS: Readonly<
  Record<string, { readonly args: readonly string[]; readonly with?: readonly string[] }>
> = {
  bind: { args: ["--bind", "localhost"] },
  port: { args: ["--port", "1112"] },
  "sign-key": { args: ["-s", "other.pem"], with: ["-s", "public.pem"] },
  "root-key": { args: ["--root-key", "root.pem"], with: ["-s", "public.pem"] },
  database: { args: ["-d", "redis:127.0.0.1:6379"] },
  close: { args: ["--close"] },
  "allow-unsigned": { args: ["--allow-unsigned"] },
  compat: { args: ["--compat", "php-dbsync"] },
  data: { args: ["--data", "other"], with: ["-s", "public.pem", "--data", "data"] },
  fsync: { args: ["--fsync", "never"], with: ["-s", "public.pem", "--data", "data"] },
  retain: { args: ["--retain", "7"], with: ["-s", "public.pem", "--data", "data"] },
  peer: {
    args: ["--peer", `127.0.0.1:1113${PIN}`],
    with: ["-s", "public.pem", "--peer", `127.0.0.1:1112${PIN}`],
  },
  "cluster-secret": {
    args: ["--cluster-secret", "secret"],
    with: ["-s", "public.pem", "--peer", `127.0.0.1:1112${PIN}`],
  },
  adopt: {
    args: ["--adopt", "ab".repeat(32)],
    with: ["-s", "public.pem", "--peer", `127.0.0.1:1112${PIN}`],
  },
  v1: { args: ["--v1", "off"], with: ["-s", "public.pem", "--data", "data"] },
  resp: { args: ["--resp", "6380"] },
  json: { args: ["--json", "8889"] },
  "json-replica": { args: ["--json-replica", "127.0.0.1:8889"], with: ["--json", "8888"] },
  "acl-file": { args: ["--acl-file", "users.acl"], with: ["--resp", "6380"] },
  "allow-anonymous": { args: ["--allow-anonymous"], with: ["--resp", "6380"] },
  "enable-debug-command": {
    args: ["--enable-debug-command", "local", "--resp", "6380"],
    with: ["--resp", "6380"],
  },
  "cluster-name": { args: ["--cluster-name", "other"] },
  window: { args: ["--window", "10s,2s"] },
  require: { args: ["--require", "v2"], with: ["-s", "public.pem"] },
  "tls-cert": {
    args: ["--tls-cert", "other.pem"],
    with: ["--tls-cert", "cert.pem", "--tls-key", "key.pem"],
  },
  "tls-key": { args: ["--tls-key", "other.pem"], with: ["--tls-cert", "cert.pem", "--tls-key", "key.pem"] },
  "require-tls": { args: ["--require-tls"], with: ["--tls-cert", "cert.pem", "--tls-key", "key.pem"] },
  "maxmemory-policy": { args: ["--maxmemory-policy", "allkeys-lru"], with: ["--maxmemory", "1GiB"] },
  admin: { args: ["--admin", "9465"] },
  "admin-host": { args: ["--admin-host", "example.org"], with: ["--admin", "9464"] },
  "log-level": { args: ["--log-level", "trace"] },
  "log-format": { args: ["--log-format", "json"] },
};

async function settingsOf(args: readonly string[]): Promise<Settings> {
  const task = await readCommandLine(args, {});
  if (task.kind !== "run") assert.fail(task.text);
  return task.settings;
}

/** The last of a repeated option counts. */
const table = optionTable({ version: "", everything: true, print: () => undefined });
const limits = new Map<string, LimitRow>(Object.values(LIMITS).map((row) => [row.flag, row]));

for (const { long } of table.options) {
  const name = (long ?? "").slice(2);
  if (NO_SETTINGS.has(name)) continue;
  test(`--${name} holds at once after SIGHUP, or is told to need a restart`, async () => {
    const limit = limits.get(name);
    const other =
      limit === undefined
        ? OTHERS[name]
        : {
            args: [
              `--${name}`,
              `${limit.fallback + (limit.fallback < limit.most ? 1 : -1)}${limit.unit === "time" ? "ms" : ""}`,
            ],
          };
    if (other === undefined) assert.fail("it needs another value than the default, in OTHERS");
    const without = other.with ?? [];
    const before = await settingsOf(without);
    const after = await settingsOf([...without, ...other.args]);
    const named = restartNames(before, after);
    const now = reloaded(before, after);
    const { differences: _, ...rest } = now;
    const { differences: __, ...old } = before;
    if (named.length > 0) {
      assert.ok(named.includes(name), `others are named: ${named}`);
      if (named.length === 1) assert.deepEqual(rest, old, "what needs a restart stays");
    } else assert.notDeepEqual(rest, old, "neither is it taken over, nor is anything said");
  });
}
