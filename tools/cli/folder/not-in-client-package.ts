/** Replaces the modules of this folder in the package dbsync-client, which does not contain them. */
import { EXIT, ExitError } from "../shared/exit-codes.js";

throw new ExitError(
  "only the dbsync of the package dbsyncd can read a daemon's folder or a backup: npm install dbsyncd",
  EXIT.usage,
);
