/** A host name that cannot exist: a label has at most 63 characters. Its resolution fails without a network request. */
export const NAMELESS = "a".repeat(64);
