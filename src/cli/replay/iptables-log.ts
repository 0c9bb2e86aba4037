/**
 * What Cloud Foundry's iptables-logger makes of a kern.log line: JSON with the container that the line is about.
 *
 *     {"timestamp":"2026-11-22T21:44:01.123456000Z","level":"info","source":"cfnetworking.iptables",
 *      "message":"cfnetworking.iptables.ingress-denied",
 *      "data":{"destination":{"container_id":...,"app_guid":...,...},"packet":{"direction":"ingress","allowed":false,...}}}
 *
 * in one line. Sources: silk-release src/code.cloudfoundry.org/iptables-logger (parser, merger, repository, rotatablesink)
 * and lager's pretty sink. The program reads text and so does this: a word counts from its first `=`, the first of two
 * equal keys wins, so an ICMP error has the ports of the packet that it quotes.
 *
 * host_ip is the cell's underlay address; host_guid, which is BOSH's name for the machine, is the cell's name.
 */
import type { App, Cell, Foundation, Instance } from '../../foundation/model.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { timestampText } from '../decode/time.ts';

const COMPONENT = 'cfnetworking.iptables';

/** The containers of one cell, by address in text, as its store.json has them. */
export type Containers = ReadonlyMap<string, { readonly app: App; readonly instance: Instance }>;

export function containersOf(foundation: Foundation, cell: string): Containers {
  const owned = foundation.apps.flatMap((app) => app.instances.map((instance) => ({ app, instance })));
  const here = owned.filter(({ instance }) => instance.cell === cell);
  return new Map(here.map((one) => [formatIpv4(one.instance.address), one]));
}

/** Whether the program takes a line for one of silk's LOG rules. */
const isOurs = (line: string): boolean => line.includes('OK_') || line.includes('DENY_');

/** Keys and values of `KEY=VALUE` words. */
function fieldsOf(line: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const word of line.split(/\s+/)) {
    const equals = word.indexOf('=');
    const key = word.slice(0, equals);
    if (equals >= 0 && !fields.has(key)) fields.set(key, word.slice(equals + 1));
  }
  return fields;
}

const numberOf = (text: string | undefined): number => (text !== undefined && /^\d+$/.test(text) ? Number(text) : 0);

/** The `packet` of an entry, in the order of the program's fields. */
interface Packet {
  readonly direction: 'ingress' | 'egress';
  readonly allowed: boolean;
  readonly src_ip: string;
  readonly dst_ip: string;
  readonly src_port: number;
  readonly dst_port: number;
  readonly protocol: string;
  readonly mark: string;
  readonly icmp_type: number;
  readonly icmp_code: number;
}

function packetOf(line: string): Packet {
  const fields = fieldsOf(line);
  return {
    direction: fields.get('OUT')?.includes('s-') === true ? 'ingress' : 'egress',
    allowed: line.includes('OK_'),
    src_ip: fields.get('SRC') ?? '',
    dst_ip: fields.get('DST') ?? '',
    src_port: numberOf(fields.get('SPT')),
    dst_port: numberOf(fields.get('DPT')),
    protocol: fields.get('PROTO') ?? '',
    mark: fields.get('MARK') ?? '',
    icmp_type: numberOf(fields.get('TYPE')),
    icmp_code: numberOf(fields.get('CODE')),
  };
}

/** Go's encoder writes these as escapes, so that its JSON can stand in HTML. */
const asGo = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * The entry for a line that the kernel of `cell` logged `nanoseconds` after 1970, newline included; null for lines that
 * are not silk's. A container that the cell does not have is an entry with empty names, as the program writes it.
 */
export function iptablesLogEntry(line: string, nanoseconds: bigint, cell: Cell, containers: Containers): string | null {
  if (!isOurs(line)) return null;
  const packet = packetOf(line);
  const isIngress = packet.direction === 'ingress';
  const found = containers.get(isIngress ? packet.dst_ip : packet.src_ip);
  const container = {
    container_id: found?.instance.handle ?? '',
    app_guid: found?.app.guid ?? '',
    space_guid: found?.app.spaceGuid ?? found?.app.space ?? '',
    organization_guid: found?.app.organization ?? '',
    host_ip: formatIpv4(cell.underlay),
    host_guid: cell.name,
  };
  const entry = {
    timestamp: `${timestampText(String(nanoseconds), 9).replace(' ', 'T')}Z`,
    level: 'info',
    source: COMPONENT,
    message: `${COMPONENT}.${packet.direction}-${packet.allowed ? 'allowed' : 'denied'}`,
    // Keys of a Go map come in order.
    data: isIngress ? { destination: container, packet } : { packet, source: container },
  };
  return `${asGo(JSON.stringify(entry))}\n`;
}
