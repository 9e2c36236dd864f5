/** A host that nobody knows, which is settled without asking the network: a label has 63 characters at most. */
export const NAMELESS = "a".repeat(64);
