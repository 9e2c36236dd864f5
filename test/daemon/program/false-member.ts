/**
 * An attacker on this machine that uses the members' protocol, implemented only from docs/protocol-v2.md "Members".
 */
import { createHmac, randomBytes, sign } from "node:crypto";
import { connect, type Socket } from "node:net";
import { type Identity, makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import {
  type MemberMessage,
  type OwnMessage,
  readMemberMessage,
  writeMemberMessage,
} from "../../../protocol/members/member-messages.js";
import { memberKnows, writeHello } from "../../../protocol/version-2/messages-v2.js";
import { until } from "../../support/until.js";

export class FalseMember implements Disposable {
  readonly identity: Identity;
  readonly received: MemberMessage[] = [];
  isClosed = false;
  readonly socket: Socket;
  readonly #parser = new FrameParser(1 << 30, 2);

  constructor(port: number, identity: Identity = makeIdentity()) {
    this.identity = identity;
    this.socket = connect({ host: "127.0.0.1", port });
    this.socket.on("data", (chunk) =>
      this.received.push(...this.#parser.split(chunk).map(readMemberMessage)),
    );
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }

  send(message: OwnMessage): void {
    this.socket.write(writeMemberMessage(message));
  }

  /** Sends a hello. @param daemon  the claimed id */
  greet(cluster: string, daemon = this.identity.id): void {
    const hello = { kind: "hello", versions: [2], daemon, cluster, clock: Date.now() } as const;
    this.socket.write(
      writeFrame(
        writeHello({ ...hello, state: "live", role: "daemon", members: null, knows: memberKnows() }),
        2,
      ),
      "latin1",
    );
  }

  /** Waits for a message of a kind, or for the end of the connection. */
  async hears<Kind extends MemberMessage["kind"]>(
    kind: Kind,
  ): Promise<Extract<MemberMessage, { kind: Kind }> | undefined> {
    const find = () =>
      this.received.find((one): one is Extract<MemberMessage, { kind: Kind }> => one.kind === kind);
    await until(`a ${kind}`, () => this.isClosed || find() !== undefined);
    return find();
  }

  /** Runs the complete handshake. @returns the code of the close reason, or null if it was admitted as a member */
  async enter(cluster: string, secret: Buffer | null = null): Promise<string | null> {
    this.greet(cluster);
    const [hello, challenge] = [await this.hears("hello"), await this.hears("challenge")];
    if (hello !== undefined && challenge !== undefined) {
      const nonce = randomBytes(32).toString("latin1");
      const names = cluster + this.identity.id + hello.daemon + nonce + challenge.nonce;
      const proven = Buffer.from(`dbsync2\0members-3\0${names}\x01`, "latin1");
      const mac = secret === null ? Buffer.alloc(0) : createHmac("sha256", secret).update(proven).digest();
      this.send({ kind: "challenge", nonce });
      const signature = sign(null, proven, this.identity.key);
      this.send({ kind: "proof", spki: this.identity.spki, signature, mac });
    }
    const proof = await this.hears("proof");
    return proof === undefined ? ((await this.hears("bye"))?.code ?? "closed") : null;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
