/** The message if signatures have to be verified but no keys are configured. */
export const KEYS_MISSING =
  "the keys are missing: add --sign-key and --root-key as for the daemon, or --config with its configuration file.";
