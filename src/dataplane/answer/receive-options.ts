/**
 * What a Linux cell does to the IP options of a packet that it has received and routed: `__ip_options_compile` in
 * net/ipv4/ip_options.c, called by `ip_rcv_options`.
 *
 * It refuses options that it cannot read, and enters its address and time into record route and timestamp options. What
 * an end-of-list option leaves over becomes zeros. The header checksum is left as it was, wrong now: Linux mends it when it
 * has forwarded the packet, so that a packet quoted before that is quoted with the old one.
 *
 * Whether source routes are followed (net.ipv4.conf.all.accept_source_route, 0) is not asked here.
 */
import * as ipv4 from '../../wire/ipv4.ts';
import type { OwnEntry } from './echo-options.ts';
import { OPTION, TIMESTAMP_FLAG } from './option-kinds.ts';

const END_OF_LIST = 0;
const NO_OPERATION = 1;
/** Bits of what has been seen; each of these options may be there once. */
const SOURCE_ROUTE = 1;
const RECORD_ROUTE = 2;
const TIMESTAMP = 4;
const CIPSO = 8;
const CIPSO_SHORTEST = 8;
const OVERFLOW_MOST = 15;

/**
 * Go through the options of the packet at `network`, whose header is whole. `own.source` is the address that the cell
 * answers it from. Returns 0, or the offset in the header that a parameter problem (ICMP 12/0) points at, 20 to 59; then
 * options in front of it have got their entries all the same.
 */
export function receiveOptions(view: DataView, network: number, own: Readonly<OwnEntry>): number {
  const end = ipv4.payloadStart(view, network);
  let seen = 0;
  let at = network + ipv4.HEADER_LENGTH;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === END_OF_LIST) {
      for (at += 1; at < end; at += 1) view.setUint8(at, END_OF_LIST);
      return 0;
    }
    if (kind === NO_OPERATION) {
      at += 1;
      continue;
    }
    if (end - at < 2) return at - network;
    const length = view.getUint8(at + 1);
    if (length < 2 || length > end - at) return at - network;
    const bit = onceBit(kind);
    const bad = receiveOption(view, at, length, (seen & bit) !== 0, own);
    if (bad >= 0) return at - network + bad;
    seen |= bit;
    at += length;
  }
  return 0;
}

function onceBit(kind: number): number {
  switch (kind) {
    case OPTION.LOOSE_SOURCE_ROUTE:
    case OPTION.STRICT_SOURCE_ROUTE:
      return SOURCE_ROUTE;
    case OPTION.RECORD_ROUTE:
      return RECORD_ROUTE;
    case OPTION.TIMESTAMP:
      return TIMESTAMP;
    case OPTION.CIPSO:
      return CIPSO;
    default:
      return 0;
  }
}

/** The octet of the option at `at` that is wrong, or -1. `again`: an option of its sort has been seen before. */
function receiveOption(view: DataView, at: number, length: number, again: boolean, own: Readonly<OwnEntry>): number {
  switch (view.getUint8(at)) {
    case OPTION.LOOSE_SOURCE_ROUTE:
    case OPTION.STRICT_SOURCE_ROUTE:
      if (length < 3) return 1;
      if (view.getUint8(at + 2) < 4) return 2;
      return again ? 0 : -1;
    case OPTION.RECORD_ROUTE:
      return again ? 0 : receiveRoute(view, at, length, own.source);
    case OPTION.TIMESTAMP:
      return again ? 0 : receiveTimestamp(view, at, length, own);
    case OPTION.ROUTER_ALERT:
      return length < 4 ? 1 : -1;
    case OPTION.CIPSO:
      // A kernel with NetLabel knows no domain of interpretation unless it was told one (netlabelctl).
      if (again) return 0;
      return length < CIPSO_SHORTEST ? 1 : 2;
    default:
      return -1;
  }
}

function receiveRoute(view: DataView, at: number, length: number, address: number): number {
  if (length < 3) return 1;
  const pointer = view.getUint8(at + 2);
  if (pointer < 4) return 2;
  if (pointer > length) return -1;
  if (pointer + 3 > length) return 2;
  view.setUint32(at + pointer - 1, address);
  view.setUint8(at + 2, pointer + 4);
  return -1;
}

function receiveTimestamp(view: DataView, at: number, length: number, own: Readonly<OwnEntry>): number {
  if (length < 4) return 1;
  const pointer = view.getUint8(at + 2);
  if (pointer < 5) return 2;
  const flag = view.getUint8(at + 3) & 0xf;
  if (pointer > length) return overflow(view, at, flag);
  if (pointer + 3 > length) return 2;
  if (flag === TIMESTAMP_FLAG.ONLY) {
    view.setUint32(at + pointer - 1, own.milliseconds);
    view.setUint8(at + 2, pointer + 4);
    return -1;
  }
  if (flag !== TIMESTAMP_FLAG.WITH_ADDRESS && flag !== TIMESTAMP_FLAG.PRESPECIFIED) return -1;
  if (pointer + 7 > length) return 2;
  if (flag === TIMESTAMP_FLAG.WITH_ADDRESS) view.setUint32(at + pointer - 1, own.source);
  else if (own.isUnicast(view.getUint32(at + pointer - 1))) return -1;
  view.setUint32(at + pointer + 3, own.milliseconds);
  view.setUint8(at + 2, pointer + 8);
  return -1;
}

/** Count a cell that found no room; the counter is the upper half of the flags. */
function overflow(view: DataView, at: number, flag: number): number {
  if (flag === TIMESTAMP_FLAG.PRESPECIFIED) return -1;
  const count = view.getUint8(at + 3) >>> 4;
  if (count === OVERFLOW_MOST) return 3;
  view.setUint8(at + 3, ((count + 1) << 4) | flag);
  return -1;
}
