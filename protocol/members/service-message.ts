import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readFlag, readNumber, readShort } from "./member-elements.js";
import { HOST_CHARS_MAX, isServiceHost, PORT_MAX, type ServiceAddress } from "./service-address.js";

/**
 * The message in which a member states how Redis clients reach it, and which daemon it names to them. The contents are
 * unverified claims, limited in length.
 * Source: docs/decisions/0073-which-daemon-sentinels-name.md.
 */
export interface ServiceMessage {
  readonly kind: "service";
  /** The number of the statement: higher than in all earlier ones of the sender. */
  readonly serial: number;
  /** The number of the sender's choice: a higher number replaces a lower one. */
  readonly epoch: number;
  /** The id of the daemon that the sender names, 32 bytes, or null if it names none. */
  readonly named: ByteString | null;
  /** The number of the named daemon's last statement that the sender knows of; 0 if none is named. */
  readonly seen: number;
  /** The address of the named daemon, or null if none is named. */
  readonly address: ServiceAddress | null;
  /** Whether the sender accepts writes of Redis clients. */
  readonly acceptsWrites: boolean;
  /** The addresses of the sender's --resp and --sentinel; null: there is none. */
  readonly resp: ServiceAddress | null;
  readonly sentinel: ServiceAddress | null;
}

/** Returns the elements after the message's name. */
export function serviceElements(message: ServiceMessage): string[] {
  const { serial, epoch, named, seen, address, acceptsWrites, resp, sentinel } = message;
  const addresses = [resp, sentinel].flatMap(addressElements);
  return [
    String(serial),
    String(epoch),
    named ?? "",
    String(seen),
    ...addressElements(address),
    acceptsWrites ? "1" : "0",
    ...addresses,
  ];
}

const addressElements = (address: ServiceAddress | null): string[] => [
  address?.host ?? "",
  String(address?.port ?? 0),
];

/** Reads the elements after the name. @throws MalformedFrame */
export function readService(reader: RespReader): Omit<ServiceMessage, "kind"> {
  const serial = readNumber(reader);
  const epoch = readNumber(reader);

  const id = readShort(reader, HASH_BYTES);
  if (id.length !== 0 && id.length !== HASH_BYTES)
    throw reader.malformed(`expected 0 or ${HASH_BYTES} bytes`);

  const seen = readNumber(reader);
  const address = readAddress(reader);
  const acceptsWrites = readFlag(reader);
  const resp = readAddress(reader);
  const sentinel = readAddress(reader);

  if ((id === "") !== (address === null)) throw reader.malformed("expected an id with an address");
  const named = id === "" ? null : id;
  return { serial, epoch, named, seen, address, acceptsWrites, resp, sentinel };
}

function readAddress(reader: RespReader): ServiceAddress | null {
  const host = readShort(reader, HOST_CHARS_MAX);
  const port = readNumber(reader);
  if (!isServiceHost(host) || port > PORT_MAX || (port === 0 && host !== ""))
    throw reader.malformed("expected a host and a port");
  return port === 0 ? null : { host, port };
}
