/** Starts a listener for MongoDB clients in the test process, with its own memory. */
import { MongoClient, type MongoClientOptions } from "mongodb";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { startUserListener, type UserScene, type UserSceneOptions } from "../../../test/faces/user-scene.js";
import { double } from "../../../test/support/double.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import { MongoListener } from "../mongo-listener.js";

export type MongoScene = UserScene<MongoListener>;

/** A daemon that records nothing and has no peers. */
export const ALONE = double<DaemonInterface>({
  address: "127.0.0.1",
  port: 0,
  copies: null,
  members: 0,
  condition: { state: "live", reason: "" },
  settings: { data: null, fsync: "always", peers: [] },
});

export function startMongo(
  options: UserSceneOptions = {},
  environment?: Environment,
  daemon = ALONE,
): Promise<MongoScene> {
  return startUserListener(options, (parts) => new MongoListener({ ...parts, daemon }), environment);
}

/** Returns a client of the driver. @param login  name and password, and options of the address, or "" */
export function clientOf(
  port: number,
  login = "",
  options: MongoClientOptions = {},
): MongoClient & AsyncDisposable {
  const [user = "", search = ""] = login.split("?");
  const url = `mongodb://${user === "" ? "" : `${user}@`}127.0.0.1:${port}/?${search}`;
  return new MongoClient(url, { serverSelectionTimeoutMS: 10_000, ...options });
}
