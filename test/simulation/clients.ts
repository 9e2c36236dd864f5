/**
 * The clients of a run. Each client signs with its own key, uses its own wrong clock (which it corrects as the real
 * client does), sends to some of the daemons, and sends the same bytes again, sometimes much too late. Administrators
 * are clients too.
 */
import { ClientClock } from "../../client/version-2/client-clock.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { type Entry, orderKeyOf } from "../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../daemon/timeline/entries/recorded-envelopes.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Condition, type HeaderFields, hexOf } from "../../protocol/version-2/envelope.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import { SeededRandom } from "../support/seeded-random.js";
import { ConditionalCall } from "./acknowledged.js";
import { makeKey, randomBytes, shortId } from "./cast.js";
import { CommandMaker } from "./commands.js";
import { repliesIn } from "./decisions.js";
import type { Outcome, Sent } from "./ledger.js";
import { conditionsIn, drawUnits, type UnitSource } from "./several-units.js";
import { type SimulatedKey, sign } from "./signatures.js";
import { noteStable } from "./stable-promises.js";
import { type Daemon, EPOCH, type Host, type World } from "./world.js";

type Argv = readonly ByteString[];

const RETRY_MS: readonly [number, number] = [300, 3_000];
const DEADLINE_MS = 15_000;
/** The share of envelopes that are sent again at a random time. */
const REPLAYED = 0.06;
const REPLAY_AFTER_MS: readonly [number, number] = [1_000, 40_000];
/** The share of envelopes that are sent shortly before they are too old. */
const DELAYED = 0.1;
const READS = 0.1;
const ONLY = 0.03;
/** The share of units with conditions on which the members of a list decide. */
const DECIDED = 0.7;
/** The share of the units of an envelope with several decided units that are any commands, which may be refused. */
const ANY_COMMAND = 0.02;

/** The rules of keys that are added during the run. */
const RULES: readonly (readonly ByteString[])[] = [
  ["+@all", "-@admin", "~*"],
  ["+@read", "+@write", "~n*", "~t*"],
  ["+@all", "-@dangerous", "~s*", "%R~n*"],
  ["+incr", "+set", "~*"],
  ["+@read", "~*"],
  ["+@all", "~*"],
  ["+@all", "~*"],
];
/** The rules in runs with tables. */
const TABLE_RULES: typeof RULES = [
  ["+@all", "-@admin", "~*"],
  ["+@sql", "~sql:d", "~sql:d:*"],
  ["+@all", "~sql:d:t0", "%R~sql:*"],
  ["+sql_ro", "~*"],
  ["+@all", "~*"],
];

/** The keys that clients may have added during the run. */
export class KeyChest {
  readonly added: SimulatedKey[] = [];
}

export class Client {
  readonly #world: World;
  readonly #name: string;
  readonly #chest: KeyChest;
  readonly #commands: CommandMaker;
  readonly #clock: ClientClock;
  readonly #conditional = new Map<Sent, ConditionalCall>();
  /** A separate generator, so that runs without scripts are the same as before scripts existed. */
  readonly #scripts: SeededRandom;
  readonly #scripted: CommandMaker;
  /** A separate generator, for the same reason. */
  readonly #decided: SeededRandom;
  /** A separate generator for envelopes with several decided units, for the same reason. */
  readonly #several: SeededRandom;
  readonly #ofSeveral: CommandMaker;

  constructor(world: World, name: string, chest: KeyChest) {
    this.#world = world;
    this.#name = name;
    this.#chest = chest;
    const { random, settings } = world;
    this.#commands = new CommandMaker(random, { ...settings, now: EPOCH });
    this.#scripts = new SeededRandom(settings.envelopes, Number(name.slice(1)));
    this.#decided = new SeededRandom(settings.envelopes, Number(name.slice(1)), 1);
    this.#several = new SeededRandom(settings.envelopes, Number(name.slice(1)), 2);
    this.#ofSeveral = new CommandMaker(this.#several, { ...settings, now: EPOCH });
    this.#scripted = new CommandMaker(this.#scripts, { ...settings, now: EPOCH });
    const error = random.between(-settings.clientError, settings.clientError);
    this.#clock = new ClientClock(EPOCH + error);
  }

  /** Signs a command and sends it. */
  act(): void {
    const { random, settings, genesis } = this.#world;
    if (random.chance(settings.gateway)) this.#writeUnsigned();
    else if (genesis.roots.length > 0 && random.chance(settings.administration)) this.#administer();
    else if (random.chance(READS)) this.send(this.#someKey(), [this.#commands.read()]);
    else this.#write();
  }

  /** Writes as a client of version 1, through a daemon that signs for it. */
  #writeUnsigned(): void {
    const host = this.#world.random.oneOf(this.#world.hosts);
    const argv = this.#commands.write();
    const script = this.#scriptWith(argv);
    this.#world.network.send(this.#name, host.name, () =>
      script === null ? host.write(argv) : host.script(script),
    );
  }

  /** Returns the calls of a script that contains a command, or null if the command is sent without a script. */
  #scriptWith(argv: Argv): readonly Argv[] | null {
    const random = this.#scripts;
    if (!random.chance(this.#world.settings.scripts)) return null;
    const more = Array.from({ length: random.between(0, 5) }, () =>
      random.chance(0.3) ? this.#scripted.read() : this.#scripted.write(),
    );
    return [argv, ...more];
  }

  #write(): void {
    const { random, settings } = this.#world;
    const commands: Argv[] = [];
    for (let left = random.oneOf([1, 1, 1, 2, 3, 6]); left > 0; left--)
      commands.push(random.chance(0.1) ? this.#commands.read() : this.#commands.write());
    const multi = random.chance(settings.multi);
    const conditions = random.chance(settings.conditional) ? this.#conditions() : null;
    const isSingle = conditions !== null && !multi;
    const decide = settings.lists && conditions !== null && this.#decided.chance(DECIDED);
    if (decide && this.#several.chance(settings.several)) this.#writeSeveral();
    else
      this.send(this.#someKey(), isSingle ? commands.slice(0, 1) : commands, {
        multi,
        if: conditions,
        decide,
      });
  }

  /** Writes by several units of one envelope, on each of which the members decide. */
  #writeSeveral(): void {
    const random = this.#several;
    const maker = this.#ofSeveral;
    const source: UnitSource = {
      random,
      numbers: [maker.key("n"), maker.key("n")],
      texts: [maker.key("t"), maker.key("t")],
      hashes: [maker.key("h")],
      value: () => maker.value(),
      condition: (key) => this.#conditionOn(key),
    };
    const units = drawUnits(source).map((unit) =>
      random.chance(ANY_COMMAND) ? { argv: maker.write(), conditions: null } : unit,
    );
    const commands = units.map(({ argv }) => argv);
    this.send(this.#someKey(), commands, { ...conditionsIn(units), decide: true });
  }

  /** Returns a condition that holds for the current state of a key on one daemon. */
  #conditionOn(key: ByteString): Condition {
    const { daemon } = this.#several.oneOf(this.#world.hosts);
    const db = this.#several.below(2);
    return { db, key, writer: daemon?.timeline.database.keyspaces[db]?.find(key)?.writer ?? "" };
  }

  /** Returns conditions that hold for the current state of some keys on one daemon. */
  #conditions(): Condition[] | null {
    const { random } = this.#world;
    const host = random.oneOf(this.#world.hosts);
    if (host.daemon === null) return null;
    const { database } = host.daemon.timeline;
    return Array.from({ length: random.between(1, 2) }, () => {
      const [db, key] = [random.below(2), this.#commands.anyKey()];
      return { db, key, writer: database.keyspaces[db]?.find(key)?.writer ?? "" };
    });
  }

  #administer(): void {
    const { random, genesis, settings } = this.#world;
    const { added } = this.#chest;
    const key = added.length > 0 && random.chance(0.4) ? random.oneOf(added) : random.oneOf(genesis.roots);
    const target =
      added.length > 0
        ? random.oneOf([...added, ...genesis.applications])
        : random.oneOf(genesis.applications);

    const commands: Argv[] = [];
    for (let left = random.oneOf([1, 1, 2]); left > 0; left--) {
      const kind = random.below(10);
      if (kind < 5 && random.chance(settings.gateway)) commands.push(this.#addDaemon());
      else if (kind < 5 || added.length === 0) commands.push(this.#addKey());
      else if (kind < 8) commands.push(["KEY", "RULES", hexOf(target.id), ...random.oneOf(this.#rules)]);
      else commands.push(["KEY", "REVOKE", hexOf((random.chance(0.9) ? random.oneOf(added) : target).id)]);
    }

    if (random.chance(0.1)) commands.push(this.#commands.write());
    this.send(key, commands, { multi: random.chance(0.2) });
  }

  #addKey(): Argv {
    const { random } = this.#world;
    const key = makeKey(random);
    this.#chest.added.push(key);
    const text = Buffer.from(key.spki, "latin1").toString("base64");
    const from = random.chance(0.2) ? ["FROM", String(EPOCH + random.below(20_000))] : [];
    const until = random.chance(0.2) ? ["UNTIL", String(EPOCH + 20_000 + random.below(20_000))] : [];
    return [
      "KEY",
      "ADD",
      text,
      "LABEL",
      `k${this.#chest.added.length}`,
      ...from,
      ...until,
      "RULES",
      ...random.oneOf(this.#rules),
    ];
  }

  get #rules(): typeof RULES {
    return this.#world.settings.tables > 0 ? TABLE_RULES : RULES;
  }

  #addDaemon(): Argv {
    const { spki } = this.#world.random.oneOf(this.#world.hosts).identity;
    return ["CLUSTER", "ADD", Buffer.from(spki, "latin1").toString("base64")];
  }

  #someKey(): SimulatedKey {
    const { random, genesis } = this.#world;
    const { added } = this.#chest;
    return added.length > 0 && random.chance(0.5) ? random.oneOf(added) : random.oneOf(genesis.applications);
  }

  send(
    key: SimulatedKey,
    commands: readonly Argv[],
    options: Pick<HeaderFields, "multi" | "if" | "ifs" | "decide"> = {},
  ): Sent {
    const { random, scheduler, hosts, genesis, ledger, settings } = this.#world;
    const only = random.chance(ONLY) ? random.oneOf(hosts).identity.id : null;
    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), db: random.below(2), only };
    const entry = sign(key, { ...header, ...this.#clock.date(scheduler.time), ...options }, commands);

    const sent: Sent = { entry, isRead: !mayChange(entry.envelope), outcomes: [] };
    if (!sent.isRead && entry.envelope.if !== null && !entry.envelope.decide)
      this.#conditional.set(sent, new ConditionalCall(this.#world, entry));
    ledger.sent.set(entry.id, sent);
    this.#world.trace(this.#name, () => `signs ${shown(entry)}`);

    const wait: Wait | undefined = sent.isRead
      ? undefined
      : random.chance(settings.stable)
        ? { kind: "stable" }
        : random.chance(settings.replicated)
          ? { kind: "replicated", daemons: random.between(1, hosts.length) }
          : undefined;

    const chosen = random.shuffled(hosts).slice(0, random.between(1, hosts.length));
    const begin = (): void => {
      for (const host of chosen) this.#deliver(sent, host, wait);
      this.#retry(sent, scheduler.time + DEADLINE_MS);
    };

    if (random.chance(DELAYED)) {
      const late = settings.window.past - random.between(-200, 1_800);
      scheduler.after(late, null, begin);
    } else begin();

    if (random.chance(REPLAYED))
      scheduler.after(random.between(...REPLAY_AFTER_MS), null, () =>
        this.#deliver(sent, random.oneOf(hosts)),
      );
    return sent;
  }

  #retry(sent: Sent, deadline: number): void {
    const { random, scheduler, hosts } = this.#world;
    scheduler.after(random.between(...RETRY_MS), null, () => {
      const isDone = sent.outcomes.some(({ kind }) => kind === "result");
      const isRefused = sent.outcomes.length > 0 && sent.outcomes.every(({ kind }) => kind === "not-applied");
      if (isDone || (isRefused && random.chance(0.5)) || scheduler.time > deadline) return;
      this.#deliver(sent, random.oneOf(hosts));
      this.#retry(sent, deadline);
    });
  }

  #deliver(sent: Sent, host: Host, wait?: Wait): void {
    const { network, scheduler } = this.#world;
    const sentAt = scheduler.time;
    network.send(this.#name, host.name, () => {
      const outcome: Outcome = { host: host.name, kind: null };
      sent.outcomes.push(outcome);
      host.send(sent.entry, wait, (answer, daemon) => {
        this.#answered(sent.entry, { answer, host, daemon, wait, outcome });
        this.#conditional.get(sent)?.answered(host, answer);
        const [clock, newest] = [host.clock(), daemon.timeline.newest];
        network.send(host.name, this.#name, () => {
          this.#clock.update(host, clock, sentAt, scheduler.time);
          if (answer.kind === "result") this.#clock.seen(newest);
        });
      });
    });
  }

  #answered(entry: Entry, { answer, host, daemon, wait, outcome }: Answered): void {
    const { ledger, trace } = this.#world;
    const name = shortId(entry.id);
    trace(host.name, () => `answers ${name}: ${answer.kind === "refused" ? answer.code : answer.kind}`);

    if (host.isByzantine) {
      outcome.kind = "unknown";
      return;
    }

    if (entry.envelope.decide) {
      outcome.kind = answer.kind === "refused" ? answer.effect : "result";
      if (answer.kind === "result" && mayChange(entry.envelope)) ledger.decisions.answered(entry, answer);
      return;
    }

    if (answer.kind === "result" && ledger.decisions.isDecided(entry.id)) {
      const { replies, flags } = repliesIn(answer);
      outcome.kind = "result";
      const isFinal = flags.every((words) => !words.split(" ").includes("late"));
      const problem = isFinal ? ledger.decisions.answeredPlaced(entry.id, replies, host.name) : null;
      if (problem !== null) ledger.violate(problem);
      return;
    }

    // A unit that the newest key ring does not permit is answered, but not recorded.
    const isRecorded = daemon.accepted.has(entry.id) || host.foldersWith(orderKeyOf(entry)) > 0;
    const isAccepted = answer.kind === "result" && isRecorded;
    if (isAccepted) this.#notePromise(entry, wait, host);
    outcome.kind = isAccepted ? "result" : answer.kind === "refused" ? answer.effect : "not-applied";

    const isDenied = answer.kind === "refused" && answer.effect === "not-applied";
    const isForgotten = entry.envelope.at <= daemon.timeline.prunedTo;
    if (isDenied && !isForgotten && host.accepted.has(entry.id) && daemon.timeline.holds(orderKeyOf(entry)))
      ledger.violate(`${host.name} reports ${name} as not applied (${answer.code}), but has it`);
  }

  /** Records what a daemon has promised in its answer. */
  #notePromise(entry: Entry, wait: Wait | undefined, host: Host): void {
    const { ledger, hosts, trace } = this.#world;
    if (!ledger.acknowledged.has(entry.id)) ledger.acknowledged.set(entry.id, host.name);
    const orderKey = orderKeyOf(entry);
    if (wait?.kind === "stable") {
      trace(host.name, () => `reports all up to ${orderKey.at - EPOCH} as stable`);
      noteStable(this.#world, host, orderKey.at);
    }
    if (wait?.kind === "replicated") {
      ledger.replicated++;
      const folders = hosts.map((other) => other.foldersWith(orderKey));
      // Byzantine members also claim to have the entry.
      const claimed = hosts.filter(({ isByzantine }) => isByzantine).length;
      if (folders.reduce((sum, count) => sum + count, claimed) < wait.daemons)
        ledger.violate(
          `${host.name} reports ${shortId(entry.id)} on ${wait.daemons} disks, but it is on ${folders}`,
        );
    }
  }
}

interface Answered {
  readonly answer: EnvelopeAnswer;
  readonly host: Host;
  readonly daemon: Daemon;
  readonly wait: Wait | undefined;
  readonly outcome: Outcome;
}

const shown = ({ id, envelope }: Entry) => {
  const { at, seq, db, multi, commands, key } = envelope;
  const flags = `${multi ? " multi" : ""}${envelope.if === null ? "" : " if"}${envelope.only === null ? "" : " only"}`;
  return `${shortId(id)}@${at - EPOCH}.${seq} db ${db}${flags} by ${shortId(key)}: ${JSON.stringify(commands).slice(0, 300)}`;
};
