/** Node's diagnostics_channel where there is none: nobody watches. The bundle puts this in its place. */

const nobody = { hasSubscribers: false, publish() {} } as const;

export const channel = () => nobody;
