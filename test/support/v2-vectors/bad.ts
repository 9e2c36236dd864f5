/** The vectors that a daemon refuses, in the order of the stages of the refusal. */
import { badBodies } from "./bad-bodies.js";
import { badHeaders } from "./bad-headers.js";
import { badSignatures } from "./bad-signatures.js";
import { badStreams } from "./bad-streams.js";
import type { BadVector } from "./vector.js";

export function badVectors(): BadVector[] {
  return [...badStreams(), ...badSignatures(), ...badBodies(), ...badHeaders()];
}
