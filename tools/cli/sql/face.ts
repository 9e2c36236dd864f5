/** What the module sql adds to `dbsync`: the subcommand sql, and sql:DIR of import and export. */
import type { CliFace } from "../shared/cli-face.js";

export const sql: CliFace = {
  subcommands: { sql: async () => (await import("./sql.js")).addSql },
  loadSqlFolders: async () => {
    const { exportFolder } = await import("./export-folder.js");
    const { importFolder } = await import("./import-folder.js");
    return { exportFolder, importFolder };
  },
};
