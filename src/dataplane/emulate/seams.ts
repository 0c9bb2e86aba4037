/**
 * Seams: what is plugged into the emulation. What is not plugged in does nothing.
 */
import type { Evaluator } from '../../rules/evaluator.ts';
import type { RulePacket } from '../../rules/packet.ts';
import type { Stack } from '../../wire/stack.ts';
import type { Cell } from '../cell.ts';
import * as conntrack from '../conntrack.ts';
import type { Dataplane } from '../dataplane.ts';
import { trackPacket } from '../forward.ts';
import type { LoggedLine } from '../log/lines.ts';
import { attach, relate } from '../track-windows.ts';
import type { Frame } from './frame.ts';

/**
 * Connections and what tables but filter do at each hook: mangle and nat, with a tracking that knows translated
 * connections. `cell` is a cell's index, `packet` (the dataplane's) holds what rules see of the IPv4 packet in
 * `[frame.network, frame.end)`. A translation that changes addresses or ports changes the octets and their checksums, and
 * `packet` with them; a mark goes into `packet.mark`. What LOG rules see is kept as `logged.ts` does it. False drops the
 * packet.
 */
export interface Translation {
  /**
   * Find the connection of the packet at `stack` in `view`, which `packet` describes: its state and mark go into `packet`,
   * the rest into the dataplane's `connections`, as `trackPacket` does it.
   */
  track(cell: Cell, view: DataView, stack: Stack): void;
  /** The packet that was tracked last turned out to be damaged: it belongs to no connection. */
  invalidate(): void;
  /** A reset goes against the packet that was tracked last, for its connection, which closes. */
  attach(): void;
  /** An ICMP error is about the packet that was tracked last, and belongs to its connection. */
  relate(): void;
  /** Whether it opens a connection that is not confirmed yet. */
  isOpening(): boolean;
  /** Remember the connection that was tracked last; false when the packet has to be dropped. */
  confirm(): boolean;
  prerouting(cell: number, packet: RulePacket, frame: Frame): boolean;
  /** INPUT before the filter table, and behind it, where sources are translated. */
  input(cell: number, packet: RulePacket, frame: Frame): boolean;
  delivering(cell: number, packet: RulePacket, frame: Frame): boolean;
  forward(cell: number, packet: RulePacket, frame: Frame): boolean;
  output(cell: number, packet: RulePacket, frame: Frame): boolean;
  postrouting(cell: number, packet: RulePacket, frame: Frame): boolean;
  /** The tables of the cell whose index is `cell` that are walked here; they count their rules. */
  tables(cell: number): readonly Evaluator[];
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
  /** A LOG rule logged `frame`; only where the dataplane keeps that. */
  logged?(line: LoggedLine, frame: Frame): void;
}

const passes = (): boolean => true;

/** Connections as `dataplane` has them, and no translation. */
export const noTranslation = (dataplane: Dataplane): Translation => ({
  track: (cell, view, stack) => trackPacket(dataplane, cell, view, stack),
  invalidate: () => conntrack.invalid(dataplane.connections),
  attach: () => attach(dataplane.connections),
  relate: () => relate(dataplane.connections),
  isOpening: () => dataplane.connections.pending,
  confirm: () => conntrack.confirm(dataplane.connections),
  prerouting: passes,
  input: passes,
  delivering: passes,
  forward: passes,
  output: (_cell, _packet, frame) => frame.barred === 0,
  postrouting: passes,
  tables: () => [],
});

export const NOBODY_LISTENS: Listens = () => false;
