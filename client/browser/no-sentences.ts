/** Where every byte is sent to each visitor, errors name their codes and stages, and client/README.md says what they mean. */

export const CODES = new Proxy({}, { get: (_, code) => code });

const UNSAID = { meaning: "failed", cure: "client/README.md says more" };

export const STAGES = new Proxy({}, { get: () => UNSAID });

export const REFUSAL_CURES = {};
