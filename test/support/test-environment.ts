/** The environment of test programs, without the caller's settings: tests choose their own servers and keys. */

/** Variables that a user may have exported, for example by README's tour. */
const SETTINGS = ["DBSYNC_SERVERS", "DBSYNC_SIGNKEY", "DBSYNC_DEBUG"];

/**
 * A variable whose file each start of node reads completely, which takes longer than the rest of a start. Of the
 * programs that tests start, only npm uses the network.
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

/** Returns the variables for an npm that may have to download packages. */
export function npmVariables(): NodeJS.ProcessEnv {
  const authorities = process.env[AUTHORITIES_OF_NPM];
  return authorities === undefined ? process.env : { ...process.env, [AUTHORITIES]: authorities };
}
