/** Kinds of IPv4 options that Linux understands (RFC 791 section 3.1, RFC 2113, FIPS 188), copied flag included. */
export const OPTION = {
  RECORD_ROUTE: 7,
  TIMESTAMP: 68,
  LOOSE_SOURCE_ROUTE: 131,
  CIPSO: 134,
  STRICT_SOURCE_ROUTE: 137,
  ROUTER_ALERT: 148,
} as const;

/** Lower half of the fourth octet of a timestamp option: what an entry is. */
export const TIMESTAMP_FLAG = {
  ONLY: 0,
  WITH_ADDRESS: 1,
  PRESPECIFIED: 3,
} as const;
