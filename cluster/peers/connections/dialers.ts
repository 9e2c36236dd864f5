/** The addresses of --peer, the ids that were proved at them, and the connections that were opened to them. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ClusterState } from "../shared/cluster-state.js";
import { Dialer, dialingKey } from "./dialer.js";
import type { MemberConnection } from "./member-connection.js";

export class Dialers implements Iterable<Dialer> {
  #all: readonly Dialer[] = [];

  /** Replaces the addresses. @returns the open connections to addresses that were removed */
  set(addresses: ClusterState["peers"], { limits, random }: ClusterState): MemberConnection[] {
    const before = new Map(this.#all.map((dialer) => [dialingKey(dialer.address), dialer]));
    this.#all = addresses.map((address) => {
      const kept = before.get(dialingKey(address));
      before.delete(dialingKey(address));
      return kept ?? new Dialer(address, limits, random);
    });
    return [...before.values()].flatMap(({ connection }) => connection ?? []);
  }

  [Symbol.iterator](): Iterator<Dialer> {
    return this.#all[Symbol.iterator]();
  }

  get all(): readonly Dialer[] {
    return this.#all;
  }

  /** Whether any address belongs to another daemon. */
  get hasOthers(): boolean {
    return this.#all.some(({ isSelf }) => !isSelf);
  }

  has(id: ByteString): boolean {
    return this.#all.some((dialer) => dialer.id === id);
  }

  of(connection: MemberConnection): Dialer | undefined {
    return this.#all.find((dialer) => dialer.connection === connection);
  }

  /** Whether the daemon at an address is connected already, or is being connected to at another address. */
  isCovered({ id, address }: Dialer, members: ReadonlyMap<ByteString, unknown>): boolean {
    if (id === null) return false;
    const isTried = this.#all.some(
      (other) => other.address !== address && other.id === id && other.connection !== null,
    );
    return isTried || members.has(id);
  }

  /** SubjectPublicKeyInfo of a daemon's key, or null if no daemon at these addresses has proved that it has that id. */
  spkiOf(id: ByteString): ByteString | null {
    return this.#all.find((dialer) => dialer.id === id)?.spki ?? null;
  }
}
