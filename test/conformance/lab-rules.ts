/**
 * The iptables rules of one cell, as silk's CNI plugin and vxlan-policy-agent write them, in the order of their code.
 *
 * Written from the Go sources and independent of `src/foundation`, whose plan is held against what the kernel has after
 * this. Sources, all in silk-release src/code.cloudfoundry.org: lib/rules/rules.go, cni-wrapper-plugin/netrules/*.go,
 * cni-wrapper-plugin/main.go, vxlan-policy-agent/planner/planner_linux.go, vxlan-policy-agent/enforcer/enforcer.go.
 *
 * Every step is one `iptables-restore --noflush` document.
 */
import type { App, Cell, Foundation, Instance, SecurityGroupRule } from '../../src/foundation/model.ts';
import { formatCidr, formatIpv4 } from '../../src/wire/address.ts';
import { VTEP_DEVICE } from './lab-names.ts';
import { LabError } from './lab-shell.ts';

const CHAIN_NAME_LENGTH = 28;
const LOG_PREFIX_LENGTH = 28;
const REJECT = '--jump REJECT --reject-with icmp-port-unreachable';
const INGRESS_MARK = '0xffff0000';

/** An empty ruleset with ACCEPT policies, as the policy agent's pre-start leaves filter and nat. */
const FLUSHED = ['filter', 'nat', 'mangle'].map((table) => `*${table}\nCOMMIT\n`).join('');

/** A restore document: new chains first, then rules. */
const restore = (table: string, chains: readonly string[], rules: readonly string[]): string =>
  `*${table}\n${chains.map((chain) => `:${chain} - [0:0]\n`).join('')}${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`;

const chainName = (prefix: string, handle: string): string => `${prefix}--${handle}`.slice(0, CHAIN_NAME_LENGTH);
const suffixed = (chain: string, suffix: string): string => chain.slice(0, CHAIN_NAME_LENGTH - suffix.length) + suffix;
const asgChain = (handle: string): string =>
  `asg-${handle
    .replace(/^check-/, '')
    .replaceAll('-', '')
    .slice(0, 20)}`;
const logPrefix = (text: string): string => `"${text.slice(0, LOG_PREFIX_LENGTH)} "`;
const hexTag = (tag: number): string => tag.toString(16).toUpperCase().padStart(4, '0');

interface Container {
  readonly app: App;
  readonly instance: Instance;
  readonly address: string;
}

const containersOf = (foundation: Foundation, cell: Cell): Container[] =>
  foundation.apps.flatMap((app) =>
    app.instances
      .filter((instance) => instance.cell === cell.name)
      .map((instance) => ({ app, instance, address: formatIpv4(instance.address) })),
  );

/** Every step for one cell: what the policy agent enforces, then each container as CNI ADD sets it up. */
export function cellRules(foundation: Foundation, cell: Cell, vpaTimestamp: string): string[] {
  if (foundation.settings.outboundConnections.limit) {
    throw new LabError('ERR_LAB_UNSUPPORTED', 'the lab does not write the rules of outbound_connections.limit');
  }
  const containers = containersOf(foundation, cell);
  return [
    FLUSHED,
    policyRules(foundation, containers, `vpa--${vpaTimestamp}`),
    ...containers.map((container) => containerRules(foundation, cell, container)),
  ];
}

/** The rules of vxlan-policy-agent alone: marks of local sources, then what local destinations accept. */
function policyRules(foundation: Foundation, containers: readonly Container[], chain: string): string {
  const rules = [
    ...exemption(foundation),
    ...markRules(foundation, containers),
    ...acceptRules(foundation, containers),
  ];
  return restore('filter', [chain], [`-I FORWARD 1 -j ${chain}`, ...rules.map((rule) => `-A ${chain} ${rule}`)]);
}

function exemption({ overlay, settings }: Foundation): string[] {
  const network = formatCidr(overlay.network);
  return settings.disableContainerNetworkPolicy ? [`-s ${network} -d ${network} -j ACCEPT`] : [];
}

/** The agent sorts the JSON text of its rules byte by byte. */
const sorted = <T>(items: readonly T[]): T[] =>
  [...new Map(items.map((item) => [JSON.stringify(item), item]))]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);

function markRules(foundation: Foundation, containers: readonly Container[]): string[] {
  const sources = new Set(foundation.policies.map((policy) => policy.source));
  const marks = containers
    .filter(({ app }) => sources.has(app.guid))
    .map(({ app, address }) => ({ IP: address, Tag: hexTag(app.tag!), GUID: app.guid }));
  return sorted(marks).map(
    ({ IP, Tag, GUID }) => `--source ${IP} --jump MARK --set-xmark 0x${Tag} -m comment --comment src:${GUID}`,
  );
}

function acceptRules(foundation: Foundation, containers: readonly Container[]): string[] {
  const apps = new Map(foundation.apps.map((app) => [app.guid, app]));
  const accepts = foundation.policies.flatMap((policy) =>
    containers
      .filter(({ app }) => app.guid === policy.destination)
      .map(({ address }) => ({
        IP: address,
        StartPort: policy.ports.start,
        EndPort: policy.ports.end,
        GUID: policy.destination,
        SourceGUID: policy.source,
        Protocol: policy.protocol,
        SourceTag: hexTag(apps.get(policy.source)!.tag!),
      })),
  );
  const { logging, acceptedUdpLogsPerSecond: rate } = foundation.settings;
  return sorted(accepts).flatMap(({ IP, StartPort, EndPort, GUID, SourceGUID, Protocol, SourceTag }) => {
    const match = `-d ${IP} -p ${Protocol} --dport ${StartPort}:${EndPort} -m mark --mark 0x${SourceTag}`;
    const limit = Protocol === 'udp' ? udpLimit(rate) : '-m conntrack --ctstate INVALID,NEW,UNTRACKED';
    const log = `${match} ${limit} --jump LOG --log-prefix ${logPrefix(`OK_${SourceTag}_${GUID}`)}`;
    const accept = `${match} --jump ACCEPT -m comment --comment src:${SourceGUID}_dst:${GUID}`;
    return logging ? [log, accept] : [accept];
  });
}

const udpLimit = (rate: number): string => `-m limit --limit ${rate}/s --limit-burst ${rate}`;

/** One container's chains, in the order of CNI ADD: net-out, net-in, security groups, masquerading. */
function containerRules(foundation: Foundation, cell: Cell, container: Container): string {
  return (
    restore('filter', ...netOut(foundation, cell, container)) +
    restore('nat', ...netInNat(foundation, cell, container)) +
    restore('mangle', ...netInMangle(cell, container))
  );
}

type ChainsAndRules = [chains: string[], rules: string[]];

function netOut(foundation: Foundation, cell: Cell, { app, instance, address }: Container): ChainsAndRules {
  const { settings } = foundation;
  const { handle } = instance;
  const [input, netout, overlay] = [
    chainName('input', handle),
    chainName('netout', handle),
    chainName('overlay', handle),
  ];
  const [log, asg] = [suffixed(netout, '--log'), asgChain(handle)];
  const within = (chain: string, rules: readonly string[]): string[] => rules.map((rule) => `-A ${chain} ${rule}`);
  const groups = securityGroupRules(foundation, app, instance, log);
  const dynamic = settings.dynamicSecurityGroups;
  const rules = [
    `-A INPUT -s ${address} --jump ${input}`,
    ...cell.interfaces.map((name) => `-A FORWARD -s ${address} -o ${name} --jump ${netout}`),
    `-A FORWARD --jump ${overlay}`,
    ...within(input, inputRules(foundation)),
    ...within(netout, dynamic ? [`-j ${asg}`, REJECT] : groups),
    ...within(asg, dynamic ? groups : []),
    ...within(overlay, overlayRules(foundation, address, handle)),
    ...within(log, logRules(foundation, handle)),
  ];
  return [[input, netout, overlay, log, ...(dynamic ? [asg] : [])], rules];
}

/** From a container to its own cell. */
function inputRules({ settings }: Foundation): string[] {
  const isLinkLocal = (address: number): boolean => address >>> 16 === 0xa9fe;
  const service =
    (protocol: string) =>
    ({ address, port }: { address: number; port: number }): string =>
      `-p ${protocol} -d ${formatIpv4(address)} --destination-port ${port} --jump ACCEPT`;
  const dns = settings.dnsServers.filter(isLinkLocal).map((address) => ({ address, port: 53 }));
  return [
    '-m state --state RELATED,ESTABLISHED --jump ACCEPT',
    ...dns.flatMap((server) => [service('tcp')(server), service('udp')(server)]),
    ...settings.hostTcpServices.map(service('tcp')),
    ...settings.hostUdpServices.map(service('udp')),
    REJECT,
  ];
}

const deniedLog = ({ settings }: Foundation, prefix: string): string => {
  const rate = settings.deniedLogsPerSecond;
  return `-m limit --limit ${rate}/s --limit-burst ${rate} --jump LOG --log-prefix ${logPrefix(prefix)}`;
};

/** From and to a container over the overlay: the enforcement of container-to-container policies. */
function overlayRules(foundation: Foundation, address: string, handle: string): string[] {
  return [
    `-s ${address} -o ${VTEP_DEVICE} -m mark ! --mark 0x0 --jump ACCEPT`,
    `-d ${address} -m state --state RELATED,ESTABLISHED --jump ACCEPT`,
    `-d ${address} -m mark --mark ${INGRESS_MARK} --jump ACCEPT`,
    ...(foundation.settings.logging ? [`-d ${address} ${deniedLog(foundation, `DENY_C2C_${handle}`)}`] : []),
    `-d ${address} ${REJECT}`,
  ];
}

function logRules({ settings }: Foundation, handle: string): string[] {
  const log = `-j LOG --log-prefix ${logPrefix(`OK_${handle}`)}`;
  return [
    `! -p udp -m conntrack --ctstate INVALID,NEW,UNTRACKED ${log}`,
    `-p udp ${udpLimit(settings.acceptedUdpLogsPerSecond)} ${log}`,
    '--jump ACCEPT',
  ];
}

/** From a container to the host's network: what its security groups open. */
function securityGroupRules(foundation: Foundation, app: App, instance: Instance, log: string): string[] {
  const { settings } = foundation;
  const staging = instance.workload === 'staging';
  const denied = staging ? settings.denyNetworks.staging : settings.denyNetworks.running;
  const bound = foundation.securityGroups.filter((group) =>
    staging
      ? group.stagingDefault || (app.space !== null && group.stagingSpaces.includes(app.space))
      : group.runningDefault || (app.space !== null && group.runningSpaces.includes(app.space)),
  );
  const opened = bound
    .flatMap((group) => group.rules)
    .flatMap((rule) => securityGroupRule(rule, log, settings.logging));
  const deny = [...settings.denyNetworks.always, ...denied].map((block) => `-d ${formatCidr(block)} ${REJECT}`);
  return [
    '-m state --state RELATED,ESTABLISHED -j ACCEPT',
    '-p tcp -m state --state INVALID -j DROP',
    ...deny.reverse(),
    ...[...new Set(opened)].reverse(),
    ...(settings.logging ? [deniedLog(foundation, `DENY_${instance.handle}`)] : []),
    REJECT,
  ];
}

/** The rules of one security group rule: one for each range, and for each of its ports. */
function securityGroupRule(rule: SecurityGroupRule, log: string, logAll: boolean): string[] {
  const target = rule.log || logAll ? `-g ${log}` : '--jump ACCEPT';
  const ranges = rule.destinations.map(({ low, high }) => `--dst-range ${formatIpv4(low)}-${formatIpv4(high)}`);
  const { protocol, ports, type, code } = rule;
  switch (protocol) {
    case 'all':
      return ranges.map((range) => `-m iprange ${range} ${target}`);
    case 'icmp':
      return ranges.map((range) => `-m iprange -p icmp ${range} -m icmp --icmp-type ${icmpType(type, code)} ${target}`);
    case 'tcp':
    case 'udp':
      return ranges.flatMap((range) =>
        ports.map(
          ({ start, end }) =>
            `-m iprange -p ${protocol} ${range} -m ${protocol} --destination-port ${start}:${end} ${target}`,
        ),
      );
  }
}

/** -1 stands for any type, or any code of a type. */
function icmpType(type: number | null, code: number | null): string {
  if (type === null || type === -1) return 'any';
  return code === null || code === -1 ? `${type}` : `${type}/${code}`;
}

function netInNat({ overlay, settings }: Foundation, cell: Cell, { instance, address }: Container): ChainsAndRules {
  const chain = chainName('netin', instance.handle);
  const host = formatIpv4(cell.underlay);
  const kept = formatCidr(settings.masquerade === 'lease' ? cell.lease : overlay.network);
  const forward = instance.ports.map(
    (port) =>
      `-A ${chain} -d ${host} -p tcp -m tcp --dport ${port.host} --jump DNAT --to-destination ${address}:${port.container}`,
  );
  const masquerade = `-A POSTROUTING --source ${address} ! -o ${VTEP_DEVICE} ! --destination ${kept} --jump MASQUERADE`;
  return [[chain], [`-A PREROUTING --jump ${chain}`, ...forward, masquerade]];
}

function netInMangle(cell: Cell, { instance }: Container): ChainsAndRules {
  const chain = chainName('netin', instance.handle);
  const host = formatIpv4(cell.underlay);
  const marks = instance.ports.flatMap((port) =>
    cell.interfaces.map(
      (name) =>
        `-A ${chain} -i ${name} -d ${host} -p tcp -m tcp --dport ${port.host} --jump MARK --set-mark ${INGRESS_MARK}`,
    ),
  );
  return [[chain], [`-A PREROUTING --jump ${chain}`, ...marks]];
}
