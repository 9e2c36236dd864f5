/**
 * The reasons for which a peer does not admit a daemon, and never will before an operator changes an option, a key or a
 * version. A failed connection is not such a reason. /healthz, INFO, the log, dbsync status and doctor, and the
 * dashboard derive from this table what they report of a daemon that no peer admits.
 * Source: docs/decisions/0074-a-refused-new-daemon-accepts-no-writes.md.
 */
import type { CloseCode } from "./close-reasons.js";

interface AdmissionRefusalRow {
  /** A clause about the peers. */
  readonly cause: string;
  /** What to do, for a new daemon; a clause without a period. */
  readonly cure: string;
  /** What to do, for a daemon that was admitted before, if that differs. */
  readonly cureIfAdmittedBefore?: string;
}

/** What the daemons of a cluster have in common, as a clause. */
export const SAME_CLUSTER = "all daemons of a cluster need the same --cluster-name, -s and --root-key";

/** The reasons by the code of the closed connection. If peers have several, the first one of this table is reported. */
export const ADMISSION_REFUSALS = {
  "other-protocol": {
    cause: "its peers use another protocol between members",
    cure: "install the same version of dbsync on all daemons",
  },
  "wrong-cluster": {
    cause: "its peers belong to another cluster",
    cure: "start it with the same --cluster-name, -s and --root-key as its peers, and with an empty --data folder",
    cureIfAdmittedBefore: `check which daemons run at these addresses: ${SAME_CLUSTER}`,
  },
  "other-secret": {
    cause: "its peers have another --cluster-secret",
    cure: "start all daemons with the same --cluster-secret",
  },
  "not-a-member": {
    cause: "its peers and this daemon do not know each other's keys",
    cure: "start all daemons with the same --cluster-secret; or pin each other's keys with the --peer host:port#ed25519:… that each prints when it starts; or authorize them with CLUSTER ADD",
  },
  "not-pinned": {
    cause: "its peers have other ids than those in --peer",
    cure: "correct the #ed25519:… in --peer: each daemon prints its own when it starts",
  },
} as const satisfies Partial<Readonly<Record<CloseCode, AdmissionRefusalRow>>>;

export type AdmissionCode = keyof typeof ADMISSION_REFUSALS;

const CODES = Object.keys(ADMISSION_REFUSALS) as readonly AdmissionCode[];

export const isAdmissionCode = (code: string | null): code is AdmissionCode =>
  code !== null && Object.hasOwn(ADMISSION_REFUSALS, code);

/** Separates the cause from the cure. */
const CURE = ": to be admitted, ";

/**
 * Returns why no peer admits a daemon, with the cure.
 * @param refusals  the code of each peer, by the peer's address; at least one
 * @param wasAdmitted  whether the daemon was admitted before
 */
export function admissionText(refusals: ReadonlyMap<string, AdmissionCode>, wasAdmitted: boolean): string {
  const found = new Set(refusals.values());
  const code = CODES.find((each) => found.has(each)) as AdmissionCode;
  const { cause, cure, cureIfAdmittedBefore }: AdmissionRefusalRow = ADMISSION_REFUSALS[code];
  const addresses = [...refusals].filter(([, each]) => each === code).map(([address]) => address);
  return `${cause} (${addresses.join(", ")})${CURE}${wasAdmitted ? (cureIfAdmittedBefore ?? cure) : cure}`;
}

/** Returns the cause and the cure in a text of `admissionText`. */
export function causeAndCure(text: string): readonly [cause: string, cure: string] {
  const [cause = "", ...cure] = text.split(CURE);
  return [cause, cure.join(CURE)];
}
