/**
 * What the sending cell knew: a frame that a known cell put on the underlay is walked through that cell's own state.
 *
 * The frame was sent, so its connection is remembered whatever the rules say; that is how replies come to be known. The
 * walk tells the tag that the rules would have given the packet. A tag that differs, or a packet that the rules would not
 * have let out, means that the rules at hand are not those that ran, or that somebody else wrote the frame.
 */
import { lookup } from '../foundation/directory.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import type { Layers } from '../wire/stack.ts';
import * as vxlan from '../wire/vxlan.ts';
import { type Burst, NOTE } from './burst.ts';
import type { Cell } from './cell.ts';
import * as conntrack from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { outInterface, route, trackPacket } from './forward.ts';
import { keepSent } from './log/keep.ts';

/** Octets 0 to 3 of the VXLAN header that Linux writes for `mark` (vxlan_build_gbp_hdr): flags, D and A bits, id. */
const DONT_LEARN = 0x00400000;
const POLICY_APPLIED = 0x00080000;
const taggedAs = (mark: number): number => mark & (DONT_LEARN | POLICY_APPLIED | 0xffff);

/**
 * Walk the packet inside `layers`, whose fields `dataplane.packet` holds, out of `cell`. Later fragments are skipped: their connection follows
 * the first one.
 */
export function egress(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  view: DataView,
  layers: Layers,
): void {
  const { inner } = layers;
  if (inner.version !== 4 || inner.fragmentOffset !== 0) return;
  dataplane.packet.mark = 0;
  trackPacket(dataplane, cell, view, inner);
  const hasGroup = vxlan.groupPolicy(view, layers.vxlan) === 1;
  send(dataplane, burst, i, cell, vxlan.mark(view, layers.vxlan), hasGroup);
  if (dataplane.outcome.logCount !== 0) keepSent(dataplane, cell, view, inner.network, inner.end);
}

/**
 * The rest of the way out of `cell` for the packet in `dataplane.packet`, which was tracked there. `mark` is the one that
 * the VXLAN header carries, `hasGroup` whether that says that there is one.
 */
export function send(dataplane: Dataplane, burst: Burst, i: number, cell: Cell, mark: number, hasGroup: boolean): void {
  const { packet, connections, outcome, directory } = dataplane;
  outcome.logCount = 0;
  const sender = lookup(directory, packet.source);
  const isLocal = packet.source === cell.vtepAddress;
  if (isLocal || (sender >= 0 && dataplane.directory.instanceCell[sender] === cell.index)) {
    let expected = 0;
    if (!isLocal) {
      const receiver = lookup(directory, packet.destination);
      packet.inInterface = dataplane.instanceInterfaces[sender]!;
      packet.outInterface = outInterface(
        dataplane,
        cell,
        route(dataplane, cell, packet.destination, receiver),
        receiver,
      );
      cell.filter.evaluate(cell.forwardChain, packet, outcome);
      expected = outcome.mark;
      if (outcome.verdict !== RULE_VERDICT.ACCEPT) burst.note[i] = burst.note[i]! | NOTE.EGRESS_REFUSED;
    }
    if (taggedAs(expected) !== mark || (expected !== 0) !== hasGroup) {
      burst.note[i] = burst.note[i]! | NOTE.EGRESS_TAG;
    }
  }
  conntrack.confirm(connections);
}
