/**
 * Known draws: numbers that the kernel of a cell drew, taken from what captures saw of it, and from a seed where they saw
 * nothing.
 *
 * A tunnel's source port and identification are those of the captured VXLAN packet with the same packet inside. The
 * identification of an ICMP error is that of the captured error that quotes the packet which is on its way; that of an
 * echo reply is found by the request's identifier and number.
 */
import type { Draws } from '../dataplane/emulate/draws.ts';
import { isError, TYPES } from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import * as udp from '../wire/udp.ts';
import { innerFrame, nameOfPacket, networkOf } from './same-packet.ts';

const ICMP_HEADER = 8;

interface Tunnel {
  readonly sourcePort: number;
  readonly identification: number;
}

export interface KnownDraws extends Draws {
  /** Look at a captured frame: one that the cell numbered `cell` may have made. */
  learn(view: DataView, at: number, end: number, cell: number): void;
  /** The packet at `network` is about to be put in: answers that cells make now are about it. */
  about(view: DataView, network: number, end: number): void;
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

/** Draws that captures tell, and those of `otherwise` for the rest. */
export function createKnownDraws(otherwise: Draws, vxlanPort: number): KnownDraws {
  const tunnels = new Map<string, Tunnel[]>();
  const answered = new Map<string, number>();
  const pending = new Map<number, number>();
  let current: readonly string[] = [];
  const learnTunnel = (view: DataView, network: number, frame: number, end: number, cell: number): void => {
    const inner = networkOf(view, frame, end);
    if (inner < 0) return;
    const name = `${cell} ${nameOfPacket(view, inner, end)}`;
    const known = tunnels.get(name) ?? [];
    const identification = ipv4.identification(view, network);
    const sourcePort = udp.sourcePort(view, ipv4.payloadStart(view, network));
    const last = known.at(-1);
    if (last?.identification !== identification || last.sourcePort !== sourcePort) {
      known.push({ sourcePort, identification });
    }
    tunnels.set(name, known);
  };
  return {
    learn(view, at, end, cell) {
      const network = networkOf(view, at, end);
      if (network < 0) return;
      const frame = innerFrame(view, network, end, vxlanPort);
      if (frame >= 0) learnTunnel(view, network, frame, end, cell);
      const packet = frame < 0 ? network : networkOf(view, frame, end);
      if (packet < 0) return;
      const about = answers(view, packet, end);
      if (about !== null) answered.set(`${cell} ${about}`, ipv4.identification(view, packet));
    },
    about(view, network, end) {
      const isEcho = ipv4.protocol(view, network) === PROTOCOL.ICMP && end - ipv4.payloadStart(view, network) >= 8;
      current = isEcho ? [quoted(view, network), echoOf(view, network)] : [quoted(view, network)];
    },
    identification(cell) {
      const drawn = pending.get(cell);
      pending.delete(cell);
      const known = current.map((about) => answered.get(`${cell} ${about}`)).find((id) => id !== undefined);
      return drawn ?? known ?? otherwise.identification(cell);
    },
    credit: () => 0,
    sourcePort(cell, view, network, end) {
      const known = network < 0 ? undefined : tunnels.get(`${cell} ${nameOfPacket(view, network, end)}`);
      const tunnel = known === undefined || known.length < 2 ? known?.[0] : known.shift();
      if (tunnel === undefined) return otherwise.sourcePort(cell, view, network, end);
      pending.set(cell, tunnel.identification);
      return tunnel.sourcePort;
    },
  };
}
