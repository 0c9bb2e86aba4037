/**
 * Seams: what is plugged into the emulation. What is not plugged in does nothing.
 */
import type { RulePacket } from '../../rules/packet.ts';
import type { Frame } from './frame.ts';

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

export const NO_TRANSLATION: Translation = { prerouting: passes, input: passes, output: passes, postrouting: passes };
export const NOBODY_LISTENS: Listens = () => false;
