/** The message if signatures must be verified but no key for that is configured. */
export const KEYS_MISSING =
  "the keys are missing: give --sign-key and --root-key as the daemon is started with them, or --config with its configuration file.";
