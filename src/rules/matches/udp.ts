/** `-m udp` (libxt_udp.c): ports. */
import { joined, type MatchModule, type MatchOf } from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import { listPorts, PORT_OPTIONS, parsePorts, savePorts } from './ports.ts';

export const udp: MatchModule<MatchOf<'udp'>> = {
  kind: 'udp',
  protocols: [PROTOCOL.UDP],
  options: PORT_OPTIONS,
  parse: (written) => ({ kind: 'udp', ...parsePorts(written, PROTOCOL.UDP) }),
  save: (match) => savePorts(match),
  list: (match, { numeric }) => joined('udp', listPorts(match, PROTOCOL.UDP, numeric)),
};
