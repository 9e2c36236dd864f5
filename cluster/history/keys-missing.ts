/** The message when signatures are to be verified, and no key for that was configured. */
export const KEYS_MISSING =
  "the keys are missing: give --sign-key and --root-key as the daemon is started with them, or --config with its configuration file.";
