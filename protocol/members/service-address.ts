/** An address at which clients connect. */
export interface ServiceAddress {
  /** A name, or an address without brackets; "": the address from which the daemon's members see it. */
  readonly host: string;
  readonly port: number;
}

/** The longest name of a host, in characters. Source: RFC 1035, 2.3.4. */
export const HOST_CHARS_MAX = 253;
export const PORT_MAX = 65_535;
/** Matches names and addresses of hosts. An address may contain a zone. */
const HOST = /^[\w.:%-]*$/;

/** Whether a text can be the host of an address for clients. */
export const isServiceHost = (host: string): boolean => host.length <= HOST_CHARS_MAX && HOST.test(host);
