/**
 * iptables as data: what `iptables-save` prints, without its spelling.
 *
 * The shape follows the kernel (`struct ipt_entry`): every rule has one IP part that is tested first, then extension
 * matches in their written order, then a target. Addresses are unsigned 32-bit numbers, interface names may end in `+`
 * (a prefix), ports and protocols are numbers. Only types and constants live here.
 */

export type TableName = 'raw' | 'mangle' | 'nat' | 'filter' | 'security';

export interface Ruleset {
  /** In the order of the input. */
  readonly tables: readonly Table[];
}

export interface Table {
  readonly name: TableName;
  readonly chains: readonly Chain[];
}

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

export interface Chain {
  readonly name: string;
  /** What happens at the end of a built-in chain; null for a user-defined chain. */
  readonly policy: 'ACCEPT' | 'DROP' | null;
  readonly counters: Counters | null;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly ip: IpPart;
  /** Tested in order, after `ip`; a stateful match (limit) is only asked when all before it agreed. */
  readonly matches: readonly Match[];
  readonly target: Target;
  readonly counters: Counters | null;
  /** Line in the input it was read from, from 1; 0 when planned. */
  readonly line: number;
}

/** Absent fields match everything. Negation belongs to each field. */
export interface IpPart {
  readonly source?: Masked;
  readonly destination?: Masked;
  readonly inInterface?: InterfaceName;
  readonly outInterface?: InterfaceName;
  readonly protocol?: { readonly number: number; readonly negated: boolean };
  /** `-f`: second and later fragments. */
  readonly fragment?: { readonly negated: boolean };
}

export interface Masked {
  readonly address: number;
  readonly mask: number;
  readonly negated: boolean;
}

export interface InterfaceName {
  readonly name: string;
  readonly negated: boolean;
}

export interface PortRange {
  readonly low: number;
  readonly high: number;
}

export interface NegatablePorts extends PortRange {
  readonly negated: boolean;
}

export interface AddressRange {
  readonly low: number;
  readonly high: number;
  readonly negated: boolean;
}

/** States of a packet's connection, as bits of `RulePacket.ctstate` (xt_conntrack's XT_CONNTRACK_STATE_*). */
export const CTSTATE = {
  INVALID: 1,
  ESTABLISHED: 2,
  RELATED: 4,
  NEW: 8,
  UNTRACKED: 64,
  SNAT: 128,
  DNAT: 256,
} as const;

/** Address types of addrtype (RTN_*), as bits: `1 << RTN`. */
export const ADDRESS_TYPE = {
  UNSPEC: 1 << 0,
  UNICAST: 1 << 1,
  LOCAL: 1 << 2,
  BROADCAST: 1 << 3,
  ANYCAST: 1 << 4,
  MULTICAST: 1 << 5,
  BLACKHOLE: 1 << 6,
  UNREACHABLE: 1 << 7,
  PROHIBIT: 1 << 8,
} as const;

export type TimeUnit = 'sec' | 'min' | 'hour' | 'day';

export interface Rate {
  readonly count: number;
  readonly per: TimeUnit;
}

export type Match =
  | {
      readonly kind: 'tcp';
      readonly sourcePorts?: NegatablePorts;
      readonly destinationPorts?: NegatablePorts;
      /** `--tcp-flags MASK COMP`, bits as in the header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32). */
      readonly flags?: { readonly mask: number; readonly set: number; readonly negated: boolean };
    }
  | { readonly kind: 'udp'; readonly sourcePorts?: NegatablePorts; readonly destinationPorts?: NegatablePorts }
  | {
      readonly kind: 'icmp';
      /** 255 with codes 0-255 is `any`. */
      readonly type: number;
      readonly codeLow: number;
      readonly codeHigh: number;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'multiport';
      readonly which: 'source' | 'destination' | 'either';
      readonly ranges: readonly PortRange[];
      readonly negated: boolean;
    }
  | { readonly kind: 'iprange'; readonly source?: AddressRange; readonly destination?: AddressRange }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number; readonly negated: boolean }
  | { readonly kind: 'connmark'; readonly value: number; readonly mask: number; readonly negated: boolean }
  | { readonly kind: 'state'; readonly states: number; readonly negated: boolean }
  | { readonly kind: 'conntrack'; readonly states: number; readonly negated: boolean }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'limit'; readonly rate: Rate; readonly burst: number }
  | {
      readonly kind: 'hashlimit';
      /** Matches while the rate is `upto` (not exceeded) or `above` (exceeded). */
      readonly mode: 'upto' | 'above';
      readonly rate: Rate;
      readonly burst: number;
      /** Any of srcip, srcport, dstip, dstport, in the order written. */
      readonly key: readonly ('srcip' | 'srcport' | 'dstip' | 'dstport')[];
      readonly name: string;
      readonly sourceMask?: number;
      readonly destinationMask?: number;
      readonly tableSize?: number;
      readonly tableMax?: number;
      readonly gcIntervalMilliseconds?: number;
      readonly expireMilliseconds?: number;
    }
  | {
      readonly kind: 'addrtype';
      readonly source?: { readonly types: number; readonly negated: boolean };
      readonly destination?: { readonly types: number; readonly negated: boolean };
      readonly limitInterface?: 'in' | 'out';
    }
  /** Something this parser does not know, kept word for word; only with `--unknown-matches=assume-no-match`. */
  | { readonly kind: 'unknown'; readonly module: string; readonly text: string };

export type RejectWith =
  | 'icmp-net-unreachable'
  | 'icmp-host-unreachable'
  | 'icmp-proto-unreachable'
  | 'icmp-port-unreachable'
  | 'icmp-net-prohibited'
  | 'icmp-host-prohibited'
  | 'icmp-admin-prohibited'
  | 'tcp-reset';

export interface NatRange {
  readonly addressLow?: number;
  readonly addressHigh?: number;
  readonly portLow?: number;
  readonly portHigh?: number;
  readonly random: boolean;
  readonly randomFully: boolean;
  readonly persistent: boolean;
}

export type Target =
  /** A rule without `-j` counts and goes on. */
  | { readonly kind: 'none' }
  | { readonly kind: 'ACCEPT' }
  | { readonly kind: 'DROP' }
  | { readonly kind: 'RETURN' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }
  | { readonly kind: 'REJECT'; readonly with: RejectWith }
  | {
      readonly kind: 'LOG';
      /** syslog level, 0 (emerg) to 7 (debug); 4 (warning) is the default. */
      readonly level: number;
      readonly prefix: string;
      readonly tcpSequence: boolean;
      readonly tcpOptions: boolean;
      readonly ipOptions: boolean;
      readonly uid: boolean;
      readonly macdecode: boolean;
    }
  | {
      readonly kind: 'NFLOG';
      readonly group: number;
      readonly prefix: string;
      readonly range?: number;
      readonly size?: number;
      readonly threshold: number;
    }
  /** `mark = (mark & ~mask) ^ value`: --set-xmark; the other spellings are special cases of it. */
  | { readonly kind: 'MARK'; readonly value: number; readonly mask: number }
  | {
      readonly kind: 'CONNMARK';
      readonly mode: 'set' | 'save' | 'restore';
      readonly value: number;
      readonly connectionMask: number;
      readonly packetMask: number;
    }
  | { readonly kind: 'DNAT'; readonly to: NatRange }
  | { readonly kind: 'SNAT'; readonly to: NatRange }
  | { readonly kind: 'MASQUERADE'; readonly to: NatRange }
  | { readonly kind: 'REDIRECT'; readonly to: NatRange }
  | { readonly kind: 'unknown'; readonly name: string; readonly text: string };
