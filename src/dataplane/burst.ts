/**
 * Burst: the packets of a RecordBurst with what became of each, as parallel typed arrays.
 *
 * Row `i` of every array belongs to row `i` of `records`. Addresses, ports and protocol are those of the packet that the
 * rules see: the inner one for VXLAN, the frame's own otherwise.
 */
import { BURST_CAPACITY, create as createRecords, type RecordBurst } from '../capture/burst.ts';

/** `verdict` of a fragment that waits for the rest of its datagram; it comes back in a later burst, judged. */
export const HELD = 255;

/** Oddities worth a line in the summary, as bits of `note`. */
export const NOTE = {
  /** The cell that sent the frame would have given it another tag. */
  EGRESS_TAG: 1,
  /** The cell that sent the frame would have refused it. */
  EGRESS_REFUSED: 2,
  /** The connection was under way when the capture began; its first packets were judged as a new one. */
  PICKED_UP: 4,
  /** The packet opened a connection, or tried to. */
  OPENED: 8,
} as const;

export interface Burst {
  readonly records: RecordBurst;
  /** One of VERDICT, or HELD. */
  readonly verdict: Uint8Array;
  /** One of REASON. */
  readonly reason: Uint8Array;
  /** Id of the deciding rule in the judging cell's filter table; -1 when no rule decided. */
  readonly rule: Int32Array;
  /** Index of the cell that judged; -1 for none. */
  readonly cell: Int16Array;
  /** Mark when the verdict fell. */
  readonly mark: Uint32Array;
  /** Group policy id; -1 when the packet carries none (no VXLAN, or G clear). */
  readonly tag: Int32Array;
  /** One bit of CTSTATE; 0 when connection tracking was not asked. */
  readonly ctstate: Uint8Array;
  /** 1 for packets against the direction of their connection's first one. */
  readonly reply: Uint8Array;
  /** 4 when addresses and protocol below are those of an IPv4 packet, else 0. */
  readonly version: Uint8Array;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly protocol: Uint8Array;
  /** Ports of TCP and UDP; type and code of ICMP; 0 where they could not be read. */
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  /** Bits of NOTE. */
  readonly note: Uint8Array;
  /** Why a header was refused (a Fault), and where. */
  readonly fault: Uint16Array;
  readonly faultAt: Uint32Array;
}

export const create = (records: RecordBurst = createRecords()): Burst => ({
  records,
  verdict: new Uint8Array(BURST_CAPACITY),
  reason: new Uint8Array(BURST_CAPACITY),
  rule: new Int32Array(BURST_CAPACITY),
  cell: new Int16Array(BURST_CAPACITY),
  mark: new Uint32Array(BURST_CAPACITY),
  tag: new Int32Array(BURST_CAPACITY),
  ctstate: new Uint8Array(BURST_CAPACITY),
  reply: new Uint8Array(BURST_CAPACITY),
  version: new Uint8Array(BURST_CAPACITY),
  source: new Uint32Array(BURST_CAPACITY),
  destination: new Uint32Array(BURST_CAPACITY),
  protocol: new Uint8Array(BURST_CAPACITY),
  sourcePort: new Uint16Array(BURST_CAPACITY),
  destinationPort: new Uint16Array(BURST_CAPACITY),
  note: new Uint8Array(BURST_CAPACITY),
  fault: new Uint16Array(BURST_CAPACITY),
  faultAt: new Uint32Array(BURST_CAPACITY),
});

/** Put the first `count` rows back to "nothing known yet". */
export function reset(burst: Burst, count: number): void {
  burst.verdict.fill(0, 0, count);
  burst.reason.fill(0, 0, count);
  burst.rule.fill(-1, 0, count);
  burst.cell.fill(-1, 0, count);
  burst.mark.fill(0, 0, count);
  burst.tag.fill(-1, 0, count);
  burst.ctstate.fill(0, 0, count);
  burst.reply.fill(0, 0, count);
  burst.version.fill(0, 0, count);
  burst.source.fill(0, 0, count);
  burst.destination.fill(0, 0, count);
  burst.protocol.fill(0, 0, count);
  burst.sourcePort.fill(0, 0, count);
  burst.destinationPort.fill(0, 0, count);
  burst.note.fill(0, 0, count);
  burst.fault.fill(0, 0, count);
  burst.faultAt.fill(0, 0, count);
}
