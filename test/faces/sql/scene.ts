/** Starts an SQL listener in the test process, with its own memory. */

import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { SqlLanguage } from "../../../faces/sql/sql-listener.js";
import { SqlListener } from "../../../faces/sql/sql-listener.js";
import type { DaemonInterface } from "../../../faces/users/user-listener.js";
import { double } from "../../support/double.js";
import { startUserListener, type UserScene, type UserSceneOptions } from "../user-scene.js";

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
