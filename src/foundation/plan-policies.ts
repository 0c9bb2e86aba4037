/**
 * The chain `vpa--...` of a cell: what the policy agent writes (vxlan-policy-agent/planner/planner_linux.go).
 *
 * Packets of local sources get their app's tag as mark; packets to local destinations are let pass by the tag they bring.
 * The agent sorts each group by the JSON text of its entries, so 10.255.1.10 comes before 10.255.1.4 and port 9 after 8080.
 */
import type { Rule } from '../rules/model.ts';
import { formatIpv4 } from '../wire/address.ts';
import type { Foundation, Instance, Policy } from './model.ts';
import type { Container } from './plan-container.ts';
import * as parts from './rule-parts.ts';
import { formatTag } from './tags.ts';

/** An entry of the agent's list: its JSON text and the rules it stands for. */
interface Entry {
  readonly key: string;
  readonly rules: readonly Rule[];
}

/** The rules of the chain, in order. `logging` is the agent's own switch. */
export function policyRules(foundation: Foundation, containers: readonly Container[], logging: boolean): Rule[] {
  const tags = new Map(foundation.apps.map((app) => [app.guid, app.tag ?? 0]));
  const bySource = groupBy(foundation.policies, (policy) => policy.source);
  const byDestination = groupBy(foundation.policies, (policy) => policy.destination);
  const sources: Entry[] = [];
  const destinations: Entry[] = [];
  for (const { app, instance } of containers) {
    if (bySource.has(app)) sources.push(sourceEntry(app, instance, tags.get(app)!));
    for (const policy of byDestination.get(app) ?? []) {
      destinations.push(destinationEntry(policy, instance, tags.get(policy.source)!, foundation, logging));
    }
  }
  return [
    ...everythingRules(foundation),
    ...sorted(sources),
    ...sorted(destinations),
    ...sorted(ingressEntries(foundation, containers)),
  ];
}

function groupBy(policies: readonly Policy[], keyOf: (policy: Policy) => string): Map<string, Policy[]> {
  const groups = new Map<string, Policy[]>();
  for (const policy of policies) {
    const group = groups.get(keyOf(policy));
    if (group === undefined) groups.set(keyOf(policy), [policy]);
    else group.push(policy);
  }
  return groups;
}

/** Sorted by key as octets (keys are ASCII); equal entries once, since the policy server stores each policy once. */
function sorted(entries: readonly Entry[]): Rule[] {
  const unique = new Map(entries.map((entry) => [entry.key, entry]));
  return [...unique.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).flatMap((entry) => entry.rules);
}

/** With `disable_container_network_policy` the overlay is open. */
function everythingRules({ overlay, settings }: Foundation): Rule[] {
  if (!settings.disableContainerNetworkPolicy) return [];
  const block = parts.network(overlay.network);
  return [parts.rule({ source: block, destination: block }, [], parts.ACCEPT)];
}

function sourceEntry(app: string, { address }: Instance, tag: number): Entry {
  const key = JSON.stringify({ IP: formatIpv4(address), Tag: formatTag(tag), GUID: app });
  return {
    key,
    rules: [parts.rule({ source: parts.host(address) }, [parts.comment(`src:${app}`)], parts.setMark(tag))],
  };
}

function destinationEntry(
  { source, destination, protocol, ports }: Policy,
  { address }: Instance,
  tag: number,
  { settings }: Foundation,
  logging: boolean,
): Entry {
  const key = JSON.stringify({
    IP: formatIpv4(address),
    StartPort: ports.start,
    EndPort: ports.end,
    GUID: destination,
    SourceGUID: source,
    Protocol: protocol,
    SourceTag: formatTag(tag),
  });
  const ip = { destination: parts.host(address), protocol: parts.protocol(protocol) };
  const matches = [parts.destinationPorts(protocol, ports.start, ports.end), parts.mark(tag)];
  const accept = parts.rule(ip, [...matches, parts.comment(`src:${source}_dst:${destination}`)], parts.ACCEPT);
  if (!logging) return { key, rules: [accept] };
  const once = protocol === 'udp' ? parts.limit(settings.acceptedUdpLogsPerSecond) : parts.NOT_ESTABLISHED;
  const log = parts.rule(ip, [...matches, once], parts.log(`OK_${formatTag(tag)}_${destination}`));
  return { key, rules: [log, accept] };
}

/** With `enable_overlay_ingress_rules` the ingress router reaches the ports that containers say they listen on. */
function ingressEntries({ ingressTag, settings }: Foundation, containers: readonly Container[]): Entry[] {
  if (settings.overlayIngressRules !== true || ingressTag === undefined) return [];
  return containers.flatMap(({ instance: { address, applicationPorts = [] } }) =>
    applicationPorts.map((port) => ({
      key: JSON.stringify({ IngressTag: formatTag(ingressTag), IP: formatIpv4(address), Protocol: 'tcp', Port: port }),
      rules: [
        parts.rule(
          { destination: parts.host(address), protocol: parts.protocol('tcp') },
          [parts.destinationPorts('tcp', port, port), parts.mark(ingressTag)],
          parts.ACCEPT,
        ),
      ],
    })),
  );
}
