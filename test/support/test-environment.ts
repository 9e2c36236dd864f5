/** What tests are started with: nothing of the caller's own settings. They choose their own servers and keys. */

/** What README's tour exports, say. */
const SETTINGS = ["DBSYNC_SERVERS", "DBSYNC_SIGNKEY", "DBSYNC_DEBUG"];

/** Each start of node reads them whole, which takes it longer than all else; of what tests start, npm alone asks the world for anything. */
const AUTHORITIES = "NODE_EXTRA_CA_CERTS";
const AUTHORITIES_OF_NPM = "DBSYNC_TEST_NPM_CA_CERTS";

export function forgetSettings(): void {
  for (const name of Object.keys(process.env)) {
    if (SETTINGS.includes(name) || name.startsWith("DBSYNCD_")) delete process.env[name];
  }
  const authorities = process.env[AUTHORITIES];
  if (authorities !== undefined) process.env[AUTHORITIES_OF_NPM] = authorities;
  delete process.env[AUTHORITIES];
}

/** The variables of an npm that may have to fetch something. */
export function npmVariables(): NodeJS.ProcessEnv {
  const authorities = process.env[AUTHORITIES_OF_NPM];
  return authorities === undefined ? process.env : { ...process.env, [AUTHORITIES]: authorities };
}
