/**
 * Known draws: numbers that the kernel of a cell drew, taken from what captures saw of it, and from a seed where they saw
 * nothing.
 *
 * A tunnel's source port and identification are those of the captured VXLAN packet with the same packet inside. The
 * identification of an ICMP error is that of the captured error that quotes the packet which it answers; that of an
 * echo reply is found by the request's identifier and number. What was learned long ago is forgotten, so that memory
 * stays flat.
 */
import type { Draws } from '../../dataplane/emulate/draws.ts';
import { isError, TYPES } from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import { innerFrame, nameOfPacket, networkOf } from './same-packet.ts';

const ICMP_HEADER = 8;

interface Tunnel {
  readonly sourcePort: number;
  readonly identification: number;
}

/** What was learned about one packet. */
interface Learned {
  readonly tunnels: Tunnel[];
  /** Of the answer; -1 when none was seen. */
  identification: number;
  /** When it was learned last, in nanoseconds. */
  time: number;
}

export interface KnownDraws extends Draws {
  /** Look at a captured frame: one that the cell numbered `cell` may have made. */
  learn(view: DataView, at: number, end: number, cell: number, time: number): void;
  /** Names of packets about which something is known. */
  readonly size: number;
  /** Forget what was learned from frames before `time`. */
  forget(time: number): void;
}

/** Of a packet: what an error about it quotes. */
const quoted = (view: DataView, at: number): string =>
  [ipv4.source(view, at), ipv4.destination(view, at), ipv4.identification(view, at), ipv4.protocol(view, at)].join(' ');

/** What ties an echo reply to its request: the pair of addresses, lower first, identifier and number. */
function echoOf(view: DataView, network: number): string {
  const ends = [ipv4.source(view, network), ipv4.destination(view, network)].sort((a, b) => a - b);
  return `echo ${ends.join(' ')} ${view.getUint32(ipv4.payloadStart(view, network) + 4)}`;
}

/** What the answer at `network` is about; null when it is no answer of a host. */
function answers(view: DataView, network: number, end: number): string | null {
  const message = ipv4.payloadStart(view, network);
  if (ipv4.protocol(view, network) !== PROTOCOL.ICMP || end - message < ICMP_HEADER) return null;
  const type = view.getUint8(message);
  if (type === TYPES.ECHO_REPLY) return echoOf(view, network);
  const holdsQuote = isError(type) && end - message >= ICMP_HEADER + ipv4.HEADER_LENGTH;
  return holdsQuote ? quoted(view, message + ICMP_HEADER) : null;
}

/** Names under which the answer to the packet at `network` may be known. */
function answerNames(view: DataView, network: number, end: number): string[] {
  const isIcmp = ipv4.protocol(view, network) === PROTOCOL.ICMP;
  const hasNumber = isIcmp && end - ipv4.payloadStart(view, network) >= ICMP_HEADER;
  return hasNumber ? [quoted(view, network), echoOf(view, network)] : [quoted(view, network)];
}

/** Draws that captures tell, and those of `otherwise` for the rest. */
export function createKnownDraws(otherwise: Draws, vxlanPort: number): KnownDraws {
  /** By cell and name; those learned last stand last. */
  const known = new Map<string, Learned>();
  const pending = new Map<number, number>();
  const learned = (name: string, time: number): Learned => {
    const one = known.get(name) ?? { tunnels: [], identification: -1, time };
    known.delete(name);
    known.set(name, one);
    one.time = time;
    return one;
  };
  const learnTunnel = (
    view: DataView,
    network: number,
    frame: number,
    end: number,
    cell: number,
    time: number,
  ): void => {
    const inner = networkOf(view, frame, end);
    if (inner < 0) return;
    const { tunnels } = learned(`${cell} ${nameOfPacket(view, inner, end)}`, time);
    const identification = ipv4.identification(view, network);
    const sourcePort = udp.sourcePort(view, ipv4.payloadStart(view, network));
    const last = tunnels.at(-1);
    if (last?.identification === identification && last.sourcePort === sourcePort) return;
    tunnels.push({ sourcePort, identification });
    if (tunnels.length > MOST_TUNNELS) tunnels.shift();
  };
  return {
    get size() {
      return known.size;
    },
    learn(view, at, end, cell, time) {
      const network = networkOf(view, at, end);
      if (network < 0) return;
      const frame = innerFrame(view, network, end, vxlanPort);
      if (frame >= 0) learnTunnel(view, network, frame, end, cell, time);
      const packet = frame < 0 ? network : networkOf(view, frame, end);
      if (packet < 0) return;
      const about = answers(view, packet, end);
      if (about !== null) learned(`${cell} ${about}`, time).identification = ipv4.identification(view, packet);
    },
    forget(time) {
      for (const [name, one] of known) {
        if (one.time >= time) return;
        known.delete(name);
      }
    },
    identification(cell, view, network, end) {
      const drawn = pending.get(cell);
      if (network < 0 && drawn !== undefined) {
        pending.delete(cell);
        return drawn;
      }
      for (const name of network < 0 ? [] : answerNames(view, network, end)) {
        const { identification = -1 } = known.get(`${cell} ${name}`) ?? {};
        if (identification >= 0) return identification;
      }
      return otherwise.identification(cell, view, network, end);
    },
    credit: () => 0,
    sourcePort(cell, view, network, end) {
      const tunnels = network < 0 ? undefined : known.get(`${cell} ${nameOfPacket(view, network, end)}`)?.tunnels;
      const tunnel = tunnels === undefined || tunnels.length < 2 ? tunnels?.[0] : tunnels.shift();
      pending.delete(cell);
      if (tunnel === undefined) return otherwise.sourcePort(cell, view, network, end);
      pending.set(cell, tunnel.identification);
      return tunnel.sourcePort;
    },
  };
}

/** Packets of one name that may be on their way at a time; more of them are a loop or a flood of copies. */
const MOST_TUNNELS = 1024;
