/**
 * The keys of -s as the pipeline's question: did one of them sign this? The modules of keys/ are loaded
 * only if there are any.
 */
import type { Logger } from "pino";
import type { Verifier } from "./pipeline.js";
import { StartError } from "./start-error.js";

/**
 * null: no paths, no keys.
 * @throws StartError  a file that cannot be used, and the cure
 */
export async function loadVerifier(paths: readonly string[], log: Logger): Promise<Verifier | null> {
  if (paths.length === 0) return null;
  const [{ loadPublicKeys }, { verifyCommand }, { KeyFileError }] = await Promise.all([
    import("../keys/key-set.js"),
    import("../keys/verify.js"),
    import("../keys/errors.js"),
  ]);
  try {
    const { keys, warnings } = loadPublicKeys(paths);
    for (const warning of warnings) log.warn(warning);
    for (const { file, fingerprint } of keys) log.info({ file, fingerprint }, "key accepted");
    const accepted = keys.map(({ key }) => key);
    return (text, signature) => verifyCommand(text, signature, accepted) !== null;
  } catch (problem) {
    if (problem instanceof KeyFileError) throw new StartError(`-s: ${problem.message}`, 1);
    throw problem;
  }
}
