/**
 * The BOSH properties that change what silk and the policy agent write, under the names that the jobs silk-cni and
 * vxlan-policy-agent of silk-release give them.
 *
 *     iptables_logging                     false
 *     iptables_denied_logs_per_sec         1
 *     iptables_accepted_udp_logs_per_sec   100
 *     dns_servers                          [169.254.0.53]        only link-local ones are opened in input--
 *     host_tcp_services                    []                    address:port
 *     host_udp_services                    []                    address:port
 *     deny_networks                        always, running, staging: lists of blocks
 *     enable_asg_syncing                   true                  dynamic security groups
 *     disable_container_network_policy     false
 *     enable_overlay_ingress_rules         false
 *     outbound_connections                 limit false, burst 1000, rate_per_sec 100, dry_run false, logging
 *     no_masquerade_cidr_range             none
 *     masquerade                           overlay, or lease as silk does since its pull request 148
 */
import { type Cidr, parseIpv4 } from '../wire/address.ts';
import * as fields from './fields.ts';
import { type Item, refusal } from './item.ts';
import type { Settings } from './model.ts';
import * as scalars from './scalars.ts';

const KEYS = [
  'iptables_logging',
  'iptables_denied_logs_per_sec',
  'iptables_accepted_udp_logs_per_sec',
  'dns_servers',
  'host_tcp_services',
  'host_udp_services',
  'deny_networks',
  'enable_asg_syncing',
  'disable_container_network_policy',
  'enable_overlay_ingress_rules',
  'outbound_connections',
  'no_masquerade_cidr_range',
  'masquerade',
] as const;

/** xt_limit counts at most 10,000 a second. */
const RATE_LIMIT = 10_000;
/** iptables takes this burst even at one a second. */
const BURST_LIMIT = 10_000;

export const DEFAULT_SETTINGS: Settings = {
  logging: false,
  deniedLogsPerSecond: 1,
  acceptedUdpLogsPerSecond: 100,
  dnsServers: [0xa9fe0035],
  hostTcpServices: [],
  hostUdpServices: [],
  denyNetworks: { always: [], running: [], staging: [] },
  dynamicSecurityGroups: true,
  disableContainerNetworkPolicy: false,
  outboundConnections: { limit: false, logging: false, burst: 1000, ratePerSecond: 100, dryRun: false },
  masquerade: 'overlay',
};

/** Read the `properties` of a foundation file. */
export function readSettings(item: Item): Settings {
  const from = fields.object(item, KEYS);
  const rate = (one: Item): number => fields.integer(one, 1, RATE_LIMIT);
  const logging = fields.optional(from, 'iptables_logging', fields.boolean, DEFAULT_SETTINGS.logging);
  const range = fields.optional(from, 'no_masquerade_cidr_range', scalars.block, undefined);
  return {
    logging,
    deniedLogsPerSecond: fields.optional(from, 'iptables_denied_logs_per_sec', rate, 1),
    acceptedUdpLogsPerSecond: fields.optional(from, 'iptables_accepted_udp_logs_per_sec', rate, 100),
    dnsServers: fields.optional(from, 'dns_servers', readDnsServers, DEFAULT_SETTINGS.dnsServers),
    hostTcpServices: fields.optional(from, 'host_tcp_services', readServices, []),
    hostUdpServices: fields.optional(from, 'host_udp_services', readServices, []),
    denyNetworks: fields.optional(from, 'deny_networks', readDenyNetworks, DEFAULT_SETTINGS.denyNetworks),
    dynamicSecurityGroups: fields.optional(from, 'enable_asg_syncing', fields.boolean, true),
    disableContainerNetworkPolicy: fields.optional(from, 'disable_container_network_policy', fields.boolean, false),
    overlayIngressRules: fields.optional(from, 'enable_overlay_ingress_rules', fields.boolean, false),
    outboundConnections: fields.optional(from, 'outbound_connections', readOutbound(logging), {
      ...DEFAULT_SETTINGS.outboundConnections,
      logging,
    }),
    masquerade: fields.optional(from, 'masquerade', (one) => fields.oneOf(one, ['overlay', 'lease']), 'overlay'),
    ...(range === undefined ? {} : { noMasqueradeRange: range }),
  };
}

const readDnsServers = (item: Item): number[] => fields.list(item).map(scalars.address);

const readBlocks = (item: Item): Cidr[] => fields.list(item).map(scalars.block);

const readServices = (item: Item): { address: number; port: number }[] =>
  fields.list(item).map((one) => {
    const expected = 'address:port such as "169.254.0.2:9001"';
    const [host = '', port = '', more] = fields.text(one, expected).split(':', 3);
    const address = parseIpv4(host);
    const number = /^[1-9][0-9]{0,4}$/.test(port) ? Number(port) : 0;
    if (address === undefined || number < 1 || number > 65535 || more !== undefined) {
      throw refusal('ERR_FOUNDATION_VALUE', one, expected);
    }
    // The silk-cni job says so: a container cannot reach its cell's loopback addresses.
    if (address >>> 24 === 127) throw refusal('ERR_FOUNDATION_VALUE', one, 'an address outside 127.0.0.0/8');
    return { address, port: number };
  });

function readDenyNetworks(item: Item): Settings['denyNetworks'] {
  const from = fields.object(item, ['always', 'running', 'staging']);
  return {
    always: fields.optional(from, 'always', readBlocks, []),
    running: fields.optional(from, 'running', readBlocks, []),
    staging: fields.optional(from, 'staging', readBlocks, []),
  };
}

const readOutbound =
  (logging: boolean) =>
  (item: Item): Settings['outboundConnections'] => {
    const from = fields.object(item, ['limit', 'logging', 'burst', 'rate_per_sec', 'dry_run']);
    return {
      limit: fields.optional(from, 'limit', fields.boolean, false),
      logging: fields.optional(from, 'logging', fields.boolean, logging),
      burst: fields.optional(from, 'burst', (one) => fields.integer(one, 1, BURST_LIMIT), 1000),
      ratePerSecond: fields.optional(from, 'rate_per_sec', (one) => fields.integer(one, 1, RATE_LIMIT), 100),
      dryRun: fields.optional(from, 'dry_run', fields.boolean, false),
    };
  };
