/**
 * Summary: what a replay found, as plain data: the sums, who talked to whom, what was denied, what was not judged.
 */
import type { Counters } from '../dataplane/counters.ts';
import { reconcile } from '../dataplane/counters.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { REASONS, VERDICT, VERDICT_NAMES } from '../dataplane/verdict.ts';
import type { Foundation } from '../foundation/model.ts';
import { formatIpv4 } from '../wire/address.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import type { FlowSums } from './flow-sums.ts';
import { END, type Flow } from './flows.ts';

/** One end of a flow, named. */
export interface End {
  readonly kind: 'app' | 'cell' | 'address';
  readonly name: string;
  readonly guid: string | null;
}

export interface SummaryFlow {
  readonly source: End;
  readonly destination: End;
  /** `tcp`, `udp`, `icmp`, or the number. */
  readonly protocol: string;
  /** Port of the called side; null for other protocols. */
  readonly port: number | null;
  /** `type/code` of ICMP; null otherwise. */
  readonly icmp: string | null;
  readonly verdict: string;
  readonly reason: string;
  readonly packets: number;
  readonly octets: number;
  readonly connections: number;
  readonly firstFile: number;
  readonly firstPacket: number;
  /** Cell that judged, and the place of its deciding rule in the cell's `known`; null when none did. */
  readonly cell: string | null;
  readonly rule: number | null;
}

export interface Summary {
  readonly packets: number;
  readonly octets: number;
  readonly verdicts: Readonly<Record<string, number>>;
  /** Codes with at least one packet, most packets first. */
  readonly reasons: readonly { readonly reason: string; readonly packets: number }[];
  readonly flows: readonly SummaryFlow[];
  readonly denied: readonly SummaryFlow[];
  /** Packets of flows beyond the limit of the table. */
  readonly flowOverflow: number;
  readonly notes: {
    readonly egressTagDiffers: number;
    readonly egressRefused: number;
    readonly pickedUp: number;
    readonly timeBackwards: number;
  };
  /** Packets missing from the sums; anything but 0 is a bug in tagplane. */
  readonly unreconciled: number;
}

const PROTOCOL_NAMES = new Map<number, string>([
  [PROTOCOL.ICMP, 'icmp'],
  [PROTOCOL.TCP, 'tcp'],
  [PROTOCOL.UDP, 'udp'],
  [PROTOCOL.SCTP, 'sctp'],
  [PROTOCOL.UDP_LITE, 'udplite'],
]);

/** The name iptables and tcpdump use for an IP protocol, or its number. */
export const protocolName = (protocol: number): string => PROTOCOL_NAMES.get(protocol) ?? String(protocol);

const isDenied = (verdict: number): boolean =>
  verdict === VERDICT.REJECT || verdict === VERDICT.DROP || verdict === VERDICT.MALFORMED;

/**
 * Sum up what `dataplane` counted and `flows` collected, where packets were added up by flow. `backwards` is the player's count of
 * packets out of time.
 */
export function summarise(dataplane: Dataplane, flows: FlowSums | null, backwards: number): Summary {
  const { counters, directory } = dataplane;
  const named = (flows?.flows ?? []).map((flow) => ({
    flow,
    named: nameFlow(directory.foundation, flow),
  }));
  return {
    packets: counters.read,
    octets: counters.octets,
    verdicts: Object.fromEntries(VERDICT_NAMES.map((name, verdict) => [name, counters.verdicts[verdict]!])),
    reasons: reasonsOf(counters),
    flows: named.filter(({ flow }) => flow.verdict !== VERDICT.OBSERVED).map((one) => one.named),
    denied: named.filter(({ flow }) => isDenied(flow.verdict)).map((one) => one.named),
    flowOverflow: flows?.overflow ?? 0,
    notes: {
      egressTagDiffers: counters.notes[0]!,
      egressRefused: counters.notes[1]!,
      pickedUp: counters.notes[2]!,
      timeBackwards: backwards,
    },
    unreconciled: reconcile(counters),
  };
}

function reasonsOf(counters: Counters): Summary['reasons'] {
  return REASONS.map(({ code }, index) => ({ reason: code, packets: counters.reasons[index]! }))
    .filter(({ packets }) => packets > 0)
    .sort((a, b) => b.packets - a.packets || (a.reason < b.reason ? -1 : 1));
}

function nameFlow(foundation: Foundation, flow: Flow): SummaryFlow {
  const hasPort = flow.protocol === PROTOCOL.TCP || flow.protocol === PROTOCOL.UDP;
  return {
    source: nameEnd(foundation, flow.sourceKind, flow.source),
    destination: nameEnd(foundation, flow.destinationKind, flow.destination),
    protocol: protocolName(flow.protocol),
    port: hasPort ? flow.port : null,
    icmp: flow.protocol === PROTOCOL.ICMP ? `${flow.port >>> 8}/${flow.port & 0xff}` : null,
    verdict: VERDICT_NAMES[flow.verdict]!,
    reason: REASONS[flow.reason]!.code,
    packets: flow.packets,
    octets: flow.octets,
    connections: flow.connections,
    firstFile: flow.firstFile,
    firstPacket: flow.firstPacket,
    cell: flow.cell < 0 ? null : foundation.cells[flow.cell]!.name,
    rule: flow.rule < 0 ? null : flow.rule,
  };
}

/** The words for an end of a flow; the indices are positions in the foundation's lists. */
export function nameEnd(foundation: Foundation, kind: number, value: number): End {
  if (kind === END.APP) {
    const app = foundation.apps[value]!;
    return { kind: 'app', name: app.name, guid: app.guid };
  }
  if (kind === END.CELL) return { kind: 'cell', name: foundation.cells[value]!.name, guid: null };
  return { kind: 'address', name: formatIpv4(value), guid: null };
}
