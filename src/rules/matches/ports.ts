/**
 * `--sport` and `--dport` of tcp and udp (libxt_tcp.c, libxt_udp.c): the options, reading and printing that both share.
 */
import type { NegatablePorts } from '../model.ts';
import { joined, not, type OptionSpec, type Written } from '../text/module.ts';
import { serviceOfPort } from '../text/services.ts';
import { printPortRange, readPortRange } from '../text/values.ts';

export const PORT_OPTIONS: readonly OptionSpec[] = [
  { name: '--sport', aliases: ['--source-port'], negatable: true },
  { name: '--dport', aliases: ['--destination-port'], negatable: true },
];

interface Ports {
  readonly sourcePorts?: NegatablePorts;
  readonly destinationPorts?: NegatablePorts;
}

/** Read both port options. All ports, not negated, is the same as no option. */
export function parsePorts(written: Written, protocol: number): Ports {
  const one = (name: string): NegatablePorts | undefined => {
    const given = written.options.get(name);
    if (given === undefined) return undefined;
    const range = readPortRange(given.values[0]!, given.values[0]!.text, ':', protocol, true);
    if (range.low === 0 && range.high === 65535 && !given.negated) return undefined;
    return { ...range, negated: given.negated };
  };
  const sourcePorts = one('--sport');
  const destinationPorts = one('--dport');
  return { ...(sourcePorts && { sourcePorts }), ...(destinationPorts && { destinationPorts }) };
}

export function savePorts(ports: Ports): string {
  const one = (name: string, range: NegatablePorts | undefined): string =>
    range === undefined ? '' : `${not(range.negated)}${name} ${printPortRange(range, ':')}`;
  return joined(one('--sport', ports.sourcePorts), one('--dport', ports.destinationPorts));
}

export function listPorts(ports: Ports, protocol: number, numeric: boolean): string {
  const port = (value: number): string => (numeric ? `${value}` : serviceOfPort(value, protocol));
  const one = (name: string, range: NegatablePorts | undefined): string => {
    if (range === undefined) return '';
    const sign = range.negated ? '!' : '';
    if (range.low === range.high) return `${name}:${sign}${port(range.low)}`;
    return `${name}s:${sign}${port(range.low)}:${port(range.high)}`;
  };
  return joined(one('spt', ports.sourcePorts), one('dpt', ports.destinationPorts));
}
