/** Starts three daemons for MongoDB's drivers. Each has a data folder and keeps its ports. */
import { freePort } from "../../../test/support/free-port.js";
import { authorizeDaemons } from "../../../test/support/resp-trio.js";
import { Trio } from "../../../test/support/trio.js";

export interface ThreeDaemons extends AsyncDisposable {
  readonly trio: Trio;
  readonly mongoPorts: readonly number[];
  /** The connection string with all daemons. */
  readonly url: string;
}

export async function startThreeDaemons(): Promise<ThreeDaemons> {
  const mongoPorts = [await freePort(), await freePort(), await freePort()];
  const trio = await Trio.start((index) => ["--mongo", String(mongoPorts[index])]);
  await authorizeDaemons(trio);
  return {
    trio,
    mongoPorts,
    url: `mongodb://${mongoPorts.map((port) => `127.0.0.1:${port}`).join(",")}/shop`,
    [Symbol.asyncDispose]: () => trio[Symbol.asyncDispose](),
  };
}
