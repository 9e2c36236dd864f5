/** Starts an SQL listener in the test process, with its own memory. */

import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { startUserListener, type UserScene, type UserSceneOptions } from "../../../test/faces/user-scene.js";
import { double } from "../../../test/support/double.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import { SqlListener } from "../sql-listener.js";
import type { SqlLanguage } from "../sql-messages.js";

export type SqlScene = UserScene<SqlListener>;

export interface SceneOptions extends UserSceneOptions {
  readonly language?: SqlLanguage | null;
}

export function startSql(
  { language = null, ...options }: SceneOptions = {},
  environment?: Environment,
): Promise<SqlScene> {
  const daemon = double<DaemonInterface>({ settings: { sqlLanguage: language } });
  return startUserListener(options, (parts) => new SqlListener({ ...parts, daemon }), environment);
}
