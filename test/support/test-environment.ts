/**
 * The environment variables of the tests. The developer's dbsync settings are removed, since tests choose their own
 * servers and keys.
 */

/** Variables that a developer may have exported, for example in docs/tour.md. */
const SETTINGS = ["DBSYNC_SERVERS", "DBSYNC_SIGNKEY", "DBSYNC_DEBUG"];

/**
 * The variable that names a file of certificate authorities. Node reads this file completely at each start, which
 * takes longer than the rest of the start. Of the programs that the tests run, only npm uses the network and needs
 * the file.
 */
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

/** Returns the variables for npm, which may have to download packages. */
export function npmVariables(): NodeJS.ProcessEnv {
  const authorities = process.env[AUTHORITIES_OF_NPM];
  return authorities === undefined ? process.env : { ...process.env, [AUTHORITIES]: authorities };
}
