/**
 * Creates the connections and messages between members. This module, and with it most of ../peers/, is loaded when a
 * daemon gets its first peer or member list, or when another daemon connects to it.
 */

import type { Socket } from "node:net";
import { signEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { publicProblems } from "../../../protocol/figures/timeline-problems.js";
import type { MemberAbout } from "../../../protocol/members/member-messages.js";
import type { Hello } from "../../../protocol/version-2/messages-v2.js";
import type { Broadcasts } from "../../engine/pipeline/publish-messages.js";
import type { ClusterSecret } from "../../engine/trust/cluster-secret.js";
import { hashOf } from "../../engine/trust/identity.js";
import { signatureThreads } from "../../engine/trust/signature-threads.js";
import { isLoopback } from "../../net/process/host-and-port.js";
import { version } from "../../net/process/version.js";
import type { PeerAddress } from "../../options/peer-address.js";
import { type MemberLists, refusalOfMember } from "../members/member-lists.js";
import { adoptSocket, openTransport, type TransportLog } from "../peers/connections/transport.js";
import type { NoMembers } from "../peers/no-members.js";
import { Peering } from "../peers/peering.js";
import type { PeeringContext } from "../peers/shared/cluster-state.js";
import { peeringLimits } from "../peers/shared/peering-limits.js";
import { messageDelivery, sendMessagesToMembers } from "../replica/channel-messages.js";
import { entryCheck, unitCheck } from "../replica/check-entry.js";
import { type NodeState, nextTurn } from "../replica/replica-context.js";
import type { RecordedWrites } from "./recorded-writes.js";

/** The settings of a daemon's membership, which a reload of the configuration replaces. */
export interface MembershipSettings {
  readonly peers: readonly PeerAddress[];
  readonly secret: ClusterSecret | null;
  /** The id of the member whose snapshot an operator has ordered this daemon to adopt, or null if there is none. */
  readonly adopt: ByteString | null;
}

interface Parts {
  readonly node: RecordedWrites & NodeState & { readonly lists: MemberLists };
  readonly broadcasts: Broadcasts;
  /** Returns the current settings. */
  readonly membership: () => MembershipSettings;
  /** What the daemon had in place of members until now. */
  readonly before: NoMembers;
}

/** Creates the members of a daemon, without starting them. They continue with the state of `before`. */
export function openPeering({ node, broadcasts, membership, before }: Parts): Peering {
  const { settings, identity, signers, environment, log, timeline, lists } = node;
  const { id, spki, key } = identity;
  const { peers, secret, adopt } = membership();

  const context: PeeringContext = {
    timeline,
    identity: { id, spki, sign: (bytes) => signEnvelope(bytes, key) },
    cluster: signers.cluster,
    peers,
    order: adopt,
    admitted: before.admission.admitted,
    secret,
    refusal: (member, knowsSecret) =>
      refusalOfMember(member, knowsSecret, {
        ring: timeline.ring,
        peers: membership().peers,
        membership: lists.membership,
      }),
    lists,
    verifySignature: (signer, bytes, signature) => signers.verifyBy(signer, bytes, signature),
    checkEntry: entryCheck(signers, lists.history),
    checkUnit: unitCheck(signers),
    signatureThreads: signatureThreads(signers, log),
    messages: messageDelivery(node, broadcasts),
    hash: hashOf,
    connect: openTransport(log),
    ...environment,
    soon: node.soon,
    nextTurn,
    log,
    limits: peeringLimits(settings),
    about: describeSelf(node),
    named: node.named,
  };
  const peering = new Peering(context, before.state);

  sendMessagesToMembers({
    settings,
    environment,
    log,
    broadcasts,
    channelMessages: peering.channelMessages,
    subscribers: peering.subscribers,
    own: node.gateway?.own ?? null,
  });

  return peering;
}

/** Accepts a connection of another daemon. @param hello  its first message */
export function acceptMember(peering: Peering, socket: Socket, hello: Hello, log: TransportLog): void {
  adoptSocket(socket, log, (member) => peering.accept(member, hello));
}

/** Milliseconds for which a report is reused: in this time all members receive the same report. */
const SAME_MS = 1000;

/**
 * Returns a function that describes this daemon to its members, for their dashboards. The report contains no names of
 * keys, and no ids.
 */
function describeSelf(node: RecordedWrites): () => MemberAbout {
  const { environment, disk } = node;
  let last: MemberAbout | null = null;
  let madeAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = environment.uptime();
    if (last !== null && now - madeAt < SAME_MS) return last;

    madeAt = now;
    const { free, size } = disk.check() ?? { free: 0, size: 0 };
    const page = node.page();
    const { figures } = node;
    const found = figures === null ? [] : publicProblems(figures, environment.clock());

    last = {
      software: version,
      pagePort: page?.port ?? 0,
      isPageLocal: page !== null && isLoopback(page.address) === true,
      diskFree: free,
      diskSize: size,
      ...node.clientTotals(),
      // Problems that resolve without an operator are shown only on the daemon's own page.
      problems: found.filter(({ severity }) => severity === "problem"),
    };
    return last;
  };
}
