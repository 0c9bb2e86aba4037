/**
 * Dataplane: everything that outlives one packet: cells, the connection table, fragments that wait, preallocated records.
 */

import type { Directory } from '../foundation/directory.ts';
import type { Arena } from '../memory/arena.ts';
import type { InterfaceNames } from '../rules/interfaces.ts';
import { createOutcome, createPacket, type Outcome, type RulePacket } from '../rules/packet.ts';
import * as quote from '../wire/quote.ts';
import * as stack from '../wire/stack.ts';
import type { Cell } from './cell.ts';
import * as conntrack from './conntrack.ts';
import * as counters from './counters.ts';
import * as fragments from './fragments.ts';
import type { Late } from './late.ts';
import * as logRecords from './log/records.ts';
import type { Share } from './share.ts';
import { bindCell, bindShare, createStraight, type Straight } from './straight.ts';

export interface Options {
  /** UDP port of the VTEPs. */
  readonly vxlanPort: number;
  /**
   * Judge transport checksums as the kernel on the wire does. Off, a wrong one is taken for a capture on the sending
   * host, whose network card would have filled it in.
   */
  readonly strictChecksums: boolean;
  /** Names of the cells whose part is judged; all when empty. The others are places on the network. */
  readonly judged: readonly string[];
  /** Most connections that are remembered. */
  readonly connectionLimit: number;
  /** Where tables and bursts are kept; with one memory, plain packets are judged by compiled code. The heap when left out. */
  readonly arena?: Arena;
  /**
   * Follow TCP sequence windows and SCTP as nf_conntrack does, with every packet going the general way. Off when left out: a
   * capture that lacks packets would have the ones behind a gap judged INVALID.
   */
  readonly windows?: boolean;
  /** Keep what LOG rules see; `takeLines` of `log/lines.ts` must then empty it after each burst. */
  readonly keepLogs?: boolean;
  /** Judge only these packets, one of several workers' shares; all when left out. */
  readonly share?: Share;
}

export interface Dataplane {
  readonly cells: readonly Cell[];
  /** 1 for the cells whose part is judged, by index. */
  readonly judged: Uint8Array;
  /** How many they are. */
  readonly judgedCells: number;
  /** Who owns an address. */
  readonly directory: Directory;
  /** Number of the host's end of each instance's veth pair, by the directory's instance number. */
  readonly instanceInterfaces: Int32Array;
  /** The names behind interface numbers. */
  readonly interfaces: InterfaceNames;
  readonly options: Options;
  readonly connections: conntrack.Conntrack;
  /** Compiled code for plain packets to the one cell that is judged; null without one. */
  readonly straight: Straight | null;
  readonly fragments: fragments.Fragments;
  readonly counters: counters.Counters;
  /** Results of held fragments, waiting to be handed out. */
  readonly late: Late[];
  /** What LOG rules saw and nobody has read yet; null when it is not kept. */
  readonly logs: logRecords.LogRecords | null;
  /** Frames whose headers are being looked at: as captured, and put together from fragments. */
  readonly layers: stack.Layers;
  readonly wholeLayers: stack.Layers;
  readonly whole: Uint8Array;
  readonly wholeView: DataView;
  readonly packet: RulePacket;
  readonly outcome: Outcome;
  readonly quote: quote.Quote;
  /** What `survey` read; of no use to anybody. */
  touched: number;
}

/** Longest IPv4 datagram, and its header with options. */
const WHOLE_OCTETS = 65_535 + 60;

export function create(
  cells: readonly Cell[],
  directory: Directory,
  instanceInterfaces: Int32Array,
  interfaces: InterfaceNames,
  options: Options,
): Dataplane {
  const whole = new Uint8Array(WHOLE_OCTETS);
  const judged = Uint8Array.from(cells, ({ name }) =>
    Number(options.judged.length === 0 || options.judged.includes(name)),
  );
  const connections = conntrack.create(options.connectionLimit, options.arena);
  if (options.windows === true) conntrack.addWindows(connections);
  return {
    cells,
    judged,
    judgedCells: judged.reduce((sum, one) => sum + one, 0),
    directory,
    instanceInterfaces,
    interfaces,
    options,
    connections,
    straight: straightOf(cells, judged, directory, instanceInterfaces, options),
    fragments: fragments.create(),
    counters: counters.create(options.arena),
    late: [],
    logs: options.keepLogs === true ? logRecords.create() : null,
    layers: stack.create(),
    wholeLayers: stack.create(),
    whole,
    wholeView: new DataView(whole.buffer),
    packet: createPacket(),
    outcome: createOutcome(),
    quote: quote.create(),
    touched: 0,
  };
}

function straightOf(
  cells: readonly Cell[],
  judged: Uint8Array,
  directory: Directory,
  interfaces: Int32Array,
  options: Options,
): Straight | null {
  const isGeneral = options.strictChecksums || options.windows === true;
  if (options.arena === undefined || isGeneral || judged.indexOf(1) !== judged.lastIndexOf(1)) return null;
  const cell = cells[judged.indexOf(1)];
  const straight = cell === undefined ? null : createStraight(options.arena);
  if (cell !== undefined && straight !== null) bindCell(straight, cell, directory, interfaces, options.vxlanPort);
  if (options.share !== undefined && straight !== null) bindShare(straight, options.share);
  return straight;
}
