/** What is told where signatures are to be checked, and no key was given to check them by. */
export const KEYS_MISSING =
  "the keys are missing: give --sign-key and --root-key as the daemon is started with them, or --config with its configuration file.";
