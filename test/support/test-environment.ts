/** What tests are started with: nothing of the caller's own settings. They choose their own servers and keys. */

/** What README's tour exports, say. */
const SETTINGS = ["DBSYNC_SERVERS", "DBSYNC_SIGNKEY", "DBSYNC_DEBUG"];

export function forgetSettings(): void {
  for (const name of Object.keys(process.env)) {
    if (SETTINGS.includes(name) || name.startsWith("DBSYNCD_")) delete process.env[name];
  }
}
