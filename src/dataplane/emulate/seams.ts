/**
 * Seams: the parts of a cell that are plugged into the emulation. Each works on octets and offsets and knows nothing of
 * frames; what is not plugged in does nothing.
 */
import type { RulePacket } from '../../rules/packet.ts';
import type { Frame } from './frame.ts';

/** What a host writes when it answers a packet by itself. All lengths are of IPv4 packets with their header; 0 is silence. */
export interface Answers {
  /**
   * The ICMP error `type`/`code` about the IPv4 packet in `[network, end)` of `view`, sent by `source`; `word` is what its
   * octets 4 to 7 hold (next-hop MTU, pointer, gateway).
   */
  error(
    view: DataView,
    network: number,
    end: number,
    type: number,
    code: number,
    word: number,
    source: number,
    identification: number,
    into: DataView,
    at: number,
  ): number;
  /** The TCP reset for the segment in `[network, end)`; `rejected` when a rule asks for it, not a closed port. */
  reset(
    view: DataView,
    network: number,
    end: number,
    rejected: boolean,
    identification: number,
    into: DataView,
    at: number,
  ): number;
  /** Whether REJECT answers the packet with an ICMP error: not when its transport checksum is wrong (nf_send_unreach). */
  mayReject(view: DataView, network: number, end: number): boolean;
  /** The answer to the ICMP query in `[network, end)`. */
  echo(view: DataView, network: number, end: number, identification: number, into: DataView, at: number): number;
}

/**
 * The mangle and nat tables. `cell` is a cell's index, `packet` holds what rules see of the IPv4 packet in
 * `[frame.network, frame.end)`. A translation that changes addresses or ports changes the octets and their checksums, and
 * `packet` with them; a mark goes into `packet.mark`. False drops the packet.
 */
export interface Translation {
  prerouting(cell: number, packet: RulePacket, frame: Frame): boolean;
  input(cell: number, packet: RulePacket, frame: Frame): boolean;
  output(cell: number, packet: RulePacket, frame: Frame): boolean;
  postrouting(cell: number, packet: RulePacket, frame: Frame): boolean;
}

/** Programs of a cell: whether one has a socket for what comes to `address` and `port` over `protocol`. */
export type Listens = (cell: number, protocol: number, address: number, port: number) => boolean;

export const DIRECTION = { IN: 0, OUT: 1 } as const;

/** Told of everything that can be watched. A frame is only borrowed: its octets change when the call is over. */
export interface Observer {
  /** `frame` passed the device numbered `device`, in one of DIRECTION. */
  passed(frame: Frame, device: number, direction: number): void;
  /**
   * The way of `frame` is over on the cell numbered `cell`: one of VERDICT, or HELD for a fragment that became a part of
   * another frame; one of REASON; the id of the deciding rule or -1.
   */
  ended(frame: Frame, cell: number, verdict: number, reason: number, rule: number): void;
}

const passes = (): boolean => true;
const never = (): boolean => false;
const silence = (): number => 0;

export const NO_TRANSLATION: Translation = { prerouting: passes, input: passes, output: passes, postrouting: passes };
export const NO_ANSWERS: Answers = {
  error: silence,
  reset: silence,
  mayReject: never,
  echo: silence,
};
export const NOBODY_LISTENS: Listens = () => false;
