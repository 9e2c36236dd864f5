/**
 * The cluster's secret (--cluster-secret), with which daemons authenticate each other without knowing each other's
 * keys. Implements `MemberSecret` of daemon/cluster/peers/.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { readClusterSecret } from "../../../keys/cluster-secret-file.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { StartError } from "../../net/process/service.js";
import type { Settings } from "../../options/settings.js";

export class ClusterSecret {
  readonly #secret: Buffer;

  /** @param secret  32 bytes */
  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  mac(bytes: Buffer): Buffer {
    return createHmac("sha256", this.#secret).update(bytes).digest();
  }

  holds(bytes: Buffer, mac: Buffer): boolean {
    const expected = this.mac(bytes);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  }

  equals(other: ClusterSecret): boolean {
    return timingSafeEqual(this.#secret, other.#secret);
  }
}

/**
 * Reads the secret's file.
 * @returns the secret, or null if none is configured
 * @throws StartError  the file cannot be used; the message states the remedy
 */
export function loadClusterSecret({ clusterSecret }: Settings, log: Logger): ClusterSecret | null {
  if (clusterSecret === null) return null;
  try {
    const { secret, warnings } = readClusterSecret(clusterSecret);
    for (const warning of warnings) log.warn(warning);
    return new ClusterSecret(secret);
  } catch (problem) {
    if (!(problem instanceof KeyFileError)) throw problem;
    throw new StartError(`--cluster-secret: ${problem.message}`, problem.code === "secret-damaged" ? 2 : 1);
  }
}
