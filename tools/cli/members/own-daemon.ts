/** The daemon of a data folder: finds it among the servers, and signs with its own key. */
import type { Settings } from "../../../client/settings/client-settings.js";
import type { SigningKey } from "../../../client/settings/signing-key.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { Address } from "../../../client/shared/server-list.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Hint } from "../keys/key-advice.js";
import { type ClientFlags, openFrom, readSettings } from "../shared/client-options.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { shown } from "./next-member-list.js";

export type OwnFlags = ClientFlags & Pick<FolderFlags, "data" | "config">;

/** Hints for commands that are signed with the daemon's own key. The first pattern that matches is used. */
export const OWN_KEY_HINTS: readonly Hint[] = [
  [
    /unknown-key|unknown (sub)?command|CLUSTER MEMBERS is answered by/i,
    "a member list needs daemons of this version that run with --data and --peer: update and restart them",
  ],
  [/not-due/, "a member list needs daemons with keys: start all daemons of the cluster with --sign-key"],
];

/** The daemon of a data folder. */
export interface OwnDaemon {
  /** The daemon's id, hexadecimal. */
  readonly id: string;
  /** Its address is the only server, and its own key signs. */
  readonly settings: Settings;
  readonly key: SigningKey;
}

/**
 * Finds the daemon of a data folder among the servers, by the id in its hello.
 * @throws DbsyncError, Failure  the folder contains no key, or its daemon is not among the servers
 */
export async function findOwnDaemon(flags: OwnFlags): Promise<OwnDaemon> {
  if (flags.key !== undefined)
    throw new DbsyncError("bad-option", "--data names the folder of the key that signs: leave out -k");
  const { readDaemonKey } = await import("../folder/daemon-key.js");
  const { data, config } = flags;
  const { folder, id, key } = await readDaemonKey({
    ...(data === undefined ? {} : { data }),
    ...(config === undefined ? {} : { config }),
  });
  const all = { ...readSettings({ ...flags, key: "" }), key };
  const settings = { ...all, servers: [await serverOf(all, id, folder)] };
  return { id, settings, key: openFrom(settings).key };
}

async function serverOf({ servers, timeout }: Settings, id: string, folder: string): Promise<Address> {
  const greetings = await Promise.all(servers.map((server) => readHello(server, realEnvironment, timeout)));
  const found: string[] = [];
  let hasAnswer = false;
  for (const [index, greeting] of greetings.entries()) {
    const server = servers[index] as Address;
    if (greeting.kind !== "hello") {
      const reason = greeting.kind === "failed" && greeting.detail !== "" ? greeting.detail : greeting.kind;
      found.push(`${server.text} does not answer (${reason})`);
      continue;
    }
    const daemon = hexOf(greeting.hello.daemon);
    if (daemon === id) return server;
    hasAnswer = true;
    found.push(`${server.text} is the daemon ${shown(daemon)}`);
  }

  if (!hasAnswer) throw new DbsyncError("all-failed", found.join(", and "));
  throw new DbsyncError(
    "bad-option",
    `${folder} is the folder of the daemon ${shown(id)}, but ${found.join(", and ")}: start that daemon, or specify its address (-s) or the folder of another one (--data)`,
  );
}
