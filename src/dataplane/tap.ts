/**
 * Frames seen inside a cell, told by silk's MAC addresses (c2c.md 1.5): `ee:ee` and the container's address on the
 * container's end of its veth pair, `aa:aa` and the same address on the host's end, `ee:ee` and the lease's address on a
 * VTEP.
 *
 * What a container sends enters its cell here and is judged. What the cell hands to a container was judged before; it
 * only feeds connection tracking. On a VTEP's own interface packets have lost or not yet got their tag.
 */
import { lookup } from '../foundation/directory.ts';
import { containerMac, hostVethMac } from '../foundation/lease.ts';
import * as ethernet from '../wire/ethernet.ts';
import { LINKTYPE } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import type { Burst } from './burst.ts';
import * as conntrack from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { ACCEPTED, ipv4Header } from './decapsulate.ts';
import { enter } from './enter.ts';
import { trackPacket } from './forward.ts';
import { isFragment } from './reassemble.ts';
import { decide, isCut, refuse } from './row.ts';
import { REASON, VERDICT } from './verdict.ts';

/** Deal with row `i` when it was seen inside a cell; false when it was not. `dataplane.packet` describes it. */
export function tap(dataplane: Dataplane, burst: Burst, i: number, view: DataView, stack: Stack): boolean {
  if (burst.records.linkType[i] !== LINKTYPE.ETHERNET || stack.vlanCount !== 0) return false;
  const { packet, directory } = dataplane;
  const from = ethernet.source(view, stack.link);
  const to = ethernet.destination(view, stack.link);
  const sender = lookup(directory, packet.source);
  if (isJudged(dataplane, sender) && from === containerMac(packet.source) && to === hostVethMac(packet.source)) {
    fromContainer(dataplane, burst, i, view, stack, sender);
    return true;
  }
  const receiver = lookup(directory, packet.destination);
  if (
    isJudged(dataplane, receiver) &&
    to === containerMac(packet.destination) &&
    from === hostVethMac(packet.destination)
  ) {
    toContainer(dataplane, burst, i, view, stack, receiver);
    return true;
  }
  if (!isVtep(dataplane, from) || !isVtep(dataplane, to)) return false;
  decide(burst, i, VERDICT.OBSERVED, REASON.TAP_OVERLAY);
  return true;
}

/** Whether the container numbered `instance` is on a cell whose part is judged; -1 is no container. */
const isJudged = (dataplane: Dataplane, instance: number): boolean =>
  instance >= 0 && dataplane.judged[dataplane.directory.instanceCell[instance]!] === 1;

function fromContainer(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  view: DataView,
  stack: Stack,
  sender: number,
): void {
  const cell = dataplane.cells[dataplane.directory.instanceCell[sender]!]!;
  burst.cell[i] = cell.index;
  if (isCut(burst, i, stack)) {
    decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
    return;
  }
  const refused = ipv4Header(view, stack);
  if (refused === ACCEPTED) enter(dataplane, burst, i, cell, view, stack, dataplane.instanceInterfaces[sender]!, 0);
  else refuse(burst, i, stack, refused);
}

function toContainer(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  view: DataView,
  stack: Stack,
  receiver: number,
): void {
  const cell = dataplane.cells[dataplane.directory.instanceCell[receiver]!]!;
  burst.cell[i] = cell.index;
  decide(burst, i, VERDICT.OBSERVED, REASON.TAP_DELIVERED);
  if (isFragment(stack)) return;
  trackPacket(dataplane, cell, view, stack);
  burst.ctstate[i] = dataplane.packet.ctstate;
  burst.reply[i] = dataplane.connections.reply;
  conntrack.confirm(dataplane.connections);
}

/** Whether a MAC address is that of a known cell's VTEP. */
function isVtep(dataplane: Dataplane, mac: number): boolean {
  for (const cell of dataplane.cells) if (cell.vtepMac === mac) return true;
  return false;
}
