/** Forges entries: with keys of another cluster, or in the name of an authorized client. */

import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { type Genesis, makeKey, randomBytes } from "./cast.js";
import { type SimulatedKey, sign } from "./signatures.js";
import { EPOCH, type World } from "./world.js";

type Argv = readonly ByteString[];

export class Forger {
  readonly #world: World;
  readonly #root: SimulatedKey;
  readonly #application: SimulatedKey;

  constructor(world: World) {
    this.#world = world;
    this.#root = makeKey(world.random);
    this.#application = makeKey(world.random);
  }

  /** The keys with which the forger's own timeline starts. */
  get genesis(): Genesis {
    const { genesis } = this.#world;
    const { applications, roots } = genesis;
    return {
      ...genesis,
      applications: [...applications, this.#application],
      roots: [...roots, this.#root],
    };
  }

  forge(): Entry {
    const { random, scheduler, genesis } = this.#world;
    const isRing = random.chance(0.4);
    const signer = isRing ? this.#root : this.#application;
    const at = EPOCH + Math.floor(scheduler.time) - random.below(6_000);
    const header = {
      cluster: genesis.cluster,
      nonce: randomBytes(random, 16),
      at: Math.max(EPOCH, at),
      seq: 0,
    };
    const entry = sign(signer, header, [isRing ? this.#ringCommand() : this.#dataCommand()]);
    if (random.chance(0.7)) return entry;

    // The remaining entries are in the name of an authorized key, with an invalid signature.
    const named = sign(
      random.oneOf([...genesis.applications, ...genesis.roots]),
      header,
      entry.envelope.commands,
    );
    return { ...named, signature: entry.signature };
  }

  #dataCommand(): Argv {
    const { random } = this.#world;
    return random.oneOf<Argv>([
      ["SET", `t${random.below(3)}`, "forged"],
      ["FLUSHALL"],
      ["INCRBY", "n0", "1000"],
    ]);
  }

  #ringCommand(): Argv {
    const { random, genesis } = this.#world;
    const text = Buffer.from(this.#application.spki, "latin1").toString("base64");
    const victim = random.oneOf([...genesis.roots, ...genesis.applications]);
    return random.oneOf<Argv>([
      ["KEY", "ADD", text, "LABEL", "forged", "RULES", "+@all", "~*"],
      ["KEY", "REVOKE", hexOf(victim.id)],
    ]);
  }
}
