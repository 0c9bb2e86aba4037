/**
 * Draws: what a kernel draws at random, or from keys that it drew when it started. Replayed traffic needs the same numbers
 * every time, so whoever runs an emulation hands them in.
 */
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';

export interface Draws {
  /**
   * Identification, 1 to 65535, of an IPv4 packet that the cell numbered `cell` makes (ip_select_ident). It answers the IPv4
   * packet at `network` in `view`, which ends at `end`; -1 for the outer packet of a tunnel.
   */
  identification(cell: number, view: DataView, network: number, end: number): number;
  /** What an ICMP error takes from its cell's bucket (icmp_global_consume): 0, 1 or 2. */
  credit(cell: number): number;
  /**
   * UDP source port of a VXLAN packet of the cell numbered `cell` (udp_flow_src_port). `network` is the offset in `view`
   * of the inner IPv4 header, or -1 when the inner frame carries something else; it ends at `end`.
   */
  sourcePort(cell: number, view: DataView, network: number, end: number): number;
}

/** net.ipv4.ip_local_port_range, which silk's VTEPs use since they are given no range of their own. */
const LOWEST_PORT = 32_768;
const PORTS = 60_999 - LOWEST_PORT;

function mix(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

const hasPorts = (protocol: number): boolean => protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;

/** Draws from a seed: a connection keeps its source port, as it does in the kernel; identifications look random. */
export function createDraws(seed: number): Draws {
  let state = mix(seed, 0x9e3779b9) | 1;
  const next = (cell: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return mix(state, cell);
  };
  return {
    identification: (cell) => next(cell) & 0xffff || 1,
    credit: (cell) => (next(cell) >>> 0) % 3,
    sourcePort(cell, view, network, end) {
      let hash = mix(seed, cell);
      if (network >= 0) {
        const protocol = ipv4.protocol(view, network);
        hash = mix(mix(mix(hash, ipv4.source(view, network)), ipv4.destination(view, network)), protocol);
        const ports = ipv4.payloadStart(view, network);
        const readable = hasPorts(protocol) && !ipv4.isFragment(view, network) && end - ports >= 4;
        if (readable) hash = mix(hash, view.getUint32(ports));
      }
      return LOWEST_PORT + Math.floor(((hash >>> 0) * PORTS) / 0x1_0000_0000);
    },
  };
}
