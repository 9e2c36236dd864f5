/** A host name that cannot exist: a label has at most 63 characters, so it fails without a network request. */
export const NAMELESS = "a".repeat(64);
