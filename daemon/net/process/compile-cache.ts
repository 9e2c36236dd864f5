/**
 * Keeps the code that V8 has compiled, so that the next start of a program need not compile it again. Node has this
 * from version 22 on. `NODE_COMPILE_CACHE` names another folder, and `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */
import { mkdirSync, statSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const NAME = "dbsync";
const FOLDER_MODE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;

/** The functions that Node's older versions do not have. */
interface CompileCache {
  readonly enableCompileCache?: (folder: string) => unknown;
  readonly flushCompileCache?: () => void;
}

const { enableCompileCache, flushCompileCache } = module as CompileCache;

/**
 * Uses the cache for all modules that are imported from now on. Without a folder of this user's own there is no cache:
 * V8 executes what it finds there.
 */
export function useCompileCache(variables: NodeJS.ProcessEnv = process.env): void {
  if (enableCompileCache === undefined) return;
  const folder = cacheFolder(variables);
  if (folder !== null) enableCompileCache(folder);
}

/**
 * Writes the cache now rather than at the end of the process. The engine's flags, which change later, are part of the
 * key of each entry.
 */
export function writeCompileCache(): void {
  flushCompileCache?.();
}

/**
 * Returns the folder for compiled code, which exists then: `dbsync` in the user's folder for caches (XDG), or systemd's
 * folder for the service. Returns null if another user owns it, the folder for caches or the home folder, or may write
 * one of them.
 */
export function cacheFolder(variables: NodeJS.ProcessEnv): string | null {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = variables;
  try {
    if (CACHE_DIRECTORY) return isOwn(CACHE_DIRECTORY) ? CACHE_DIRECTORY : null;
    const home = homedir();
    if (!isOwn(XDG_CACHE_HOME || home)) return null;
    const caches = XDG_CACHE_HOME || join(home, ".cache");
    const folder = join(caches, NAME);
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    return isOwn(caches) && isOwn(folder) ? folder : null;
  } catch {
    // The cache only saves time.
    return null;
  }
}

/** Whether only this user can change a folder. `sudo` may keep the home folder of another user. */
function isOwn(folder: string): boolean {
  const { uid, mode } = statSync(folder);
  return uid === process.geteuid?.() && (mode & WRITABLE_BY_OTHERS) === 0;
}
