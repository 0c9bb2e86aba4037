/**
 * IP options on their way through a host: net/ipv4/ip_input.c ip_rcv_options and net/ipv4/ip_options.c ip_forward_options.
 *
 * What comes in gets the address that its sender sees; what goes on has that replaced by the address of the way out.
 */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { OPTION, TIMESTAMP_FLAG } from '../answer/option-kinds.ts';
import * as answer from '../answer/receive-options.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { ownEntry, sendError } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { writeHeaderChecksum } from './fragment.ts';
import type { Frame } from './frame.ts';
import { preferredSource } from './route.ts';

/** The pointer of a parameter problem is the first of its octets 4 to 7. */
const POINTER = 2 ** 24;
const POINTER_FIELD = 2;
const FLAG_FIELD = 3;

/** Offset of the option's pointer field when there is one of `kind`, or -1. */
function pointerOf({ view, network }: Frame, kind: number): number {
  const option = ipv4.findOption(view, network, kind);
  return option < 0 ? -1 : option + POINTER_FIELD;
}

/** Where the entry lies that moved the pointer at `field` on from `before`; 0 when it did not move. */
const entryAt = (view: DataView, field: number, before: number): number =>
  field < 0 || view.getUint8(field) === before ? 0 : field - POINTER_FIELD + before - 1;

const wantsAddress = (view: DataView, field: number): boolean =>
  field >= 0 && (view.getUint8(field - POINTER_FIELD + FLAG_FIELD) & 0xf) === TIMESTAMP_FLAG.WITH_ADDRESS;

/** Read and fill the options of `frame`, which was routed. Gives a REASON to drop it, answered where it is, or ACCEPTED. */
export function receiveOptions(emulation: Emulation, host: Host, frame: Frame): number {
  const { view, network } = frame;
  if (ipv4.ihl(view, network) === 5) return ACCEPTED;
  const route = pointerOf(frame, OPTION.RECORD_ROUTE);
  const time = pointerOf(frame, OPTION.TIMESTAMP);
  const routeBefore = route < 0 ? 0 : view.getUint8(route);
  const timeBefore = time < 0 ? 0 : view.getUint8(time);
  const bad = answer.receiveOptions(view, network, ownEntry(emulation, host, frame));
  if (bad > 0) {
    sendError(emulation, host, frame, icmp.TYPES.PARAMETER_PROBLEM, 0, bad * POINTER);
    return REASON.IP4_OPTIONS;
  }
  frame.routeEntry = entryAt(view, route, routeBefore);
  frame.timeEntry = wantsAddress(view, time) ? entryAt(view, time, timeBefore) : 0;
  const isRouted =
    pointerOf(frame, OPTION.LOOSE_SOURCE_ROUTE) >= 0 || pointerOf(frame, OPTION.STRICT_SOURCE_ROUTE) >= 0;
  return isRouted ? REASON.IP4_SOURCE_ROUTE : ACCEPTED;
}

/** Finish the options of a packet that is about to leave, and the header checksum with them. */
export function forwardOptions(emulation: Emulation, host: Host, frame: Frame): void {
  const { view, network, routeEntry, timeEntry } = frame;
  if (ipv4.ihl(view, network) === 5) return;
  const address = preferredSource(emulation, host, ipv4.destination(view, network));
  if (routeEntry !== 0) view.setUint32(routeEntry, address);
  if (timeEntry !== 0) view.setUint32(timeEntry, address);
  writeHeaderChecksum(view, network);
}
