/** What `dbsync` can do only if it contains the face sql. */
import type { CliFace } from "../shared/cli-face.js";

export const sql: CliFace = {
  subcommands: { sql: async () => (await import("./sql.js")).addSql },
  loadDataFolders: async () => {
    const { exportFolder } = await import("./export-folder.js");
    const { importFolder } = await import("./import-folder.js");
    return { exportFolder, importFolder };
  },
};
