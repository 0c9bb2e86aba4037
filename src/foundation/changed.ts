/**
 * Changed: a foundation in which the policy server has come to know other policies, or other security groups.
 *
 * Everything else stays, tags too: an app keeps its tag, and one that gets into its first policy is given the lowest that is free.
 * (The policy server also takes a tag back with an app's last policy. That only shows when it gives the tag to another app.)
 */
import type { DraftPolicy, Written } from './draft.ts';
import { FoundationError } from './error.ts';
import { readFoundationFile } from './foundation-file.ts';
import { conflict, type Item, placeOf, refusal } from './item.ts';
import type { App, Foundation, Policy } from './model.ts';
import { type PolicyList, readPolicyList, readSecurityGroupList } from './policy-server.ts';
import { createTagAllocator, TAGS_EXHAUSTED } from './tags.ts';

const isFoundationFile = (item: Item): boolean => item.kind === 'object' && item.entries.has('tagplane');

/** `foundation` with the policies of `item`, a foundation file or an answer of the policy server. Throws FoundationError. */
export function withPolicies(foundation: Foundation, item: Item): Foundation {
  const list: PolicyList = isFoundationFile(item)
    ? { policies: readFoundationFile(item).policies, tags: [] }
    : readPolicyList(item);
  const apps = new Map(foundation.apps.map((app) => [app.guid, app]));
  for (const { id, type, tag } of list.tags) {
    const app = type === 'app' ? (apps.get(id) ?? stranger(id)) : undefined;
    if (app === undefined) continue;
    if (app.tag !== null && app.tag !== tag.value)
      throw refusal('ERR_FOUNDATION_CONFLICT', tag.from, `the tag that ${id} has`);
    apps.set(id, { ...app, tag: tag.value });
  }
  const policies = list.policies.map((one) => resolve(one, apps));
  return { ...foundation, apps: tagged(apps, list.policies, policies), policies };
}

/** `foundation` with the security groups of `item`, a foundation file or an answer of the policy server or of cf. */
export function withSecurityGroups(foundation: Foundation, item: Item, file: string): Foundation {
  const groups = isFoundationFile(item) ? readFoundationFile(item).groups : readSecurityGroupList(item, file);
  const guids = new Map<string, Item>();
  for (const { from, group } of groups) {
    const first = guids.get(group.guid);
    if (first !== undefined) throw conflict(from, first, `got a security group with the GUID ${group.guid}, as has`);
    guids.set(group.guid, from);
  }
  return { ...foundation, securityGroups: groups.map(({ group }) => group) };
}

/** An app without instances, known by its GUID alone. */
const stranger = (guid: string): App => ({
  name: guid,
  guid,
  tag: null,
  routes: [],
  instances: [],
  space: null,
  organization: null,
});

function resolve({ source, destination, protocol, ports, byGuid }: DraftPolicy, apps: Map<string, App>): Policy {
  const find = ({ value, from }: Written<string>): string => {
    if (apps.has(value)) return value;
    if (byGuid) {
      apps.set(value, stranger(value));
      return value;
    }
    const named = [...apps.values()].filter(({ name }) => name === value);
    if (named.length === 1) return named[0]!.guid;
    throw refusal(
      'ERR_FOUNDATION_REFERENCE',
      from,
      named.length === 0 ? 'the name or GUID of an app' : 'a GUID, since the name fits several apps',
    );
  };
  return { source: find(source), destination: find(destination), protocol, ports };
}

/** All apps, those in a policy with a tag. */
function tagged(apps: Map<string, App>, drafts: readonly DraftPolicy[], policies: readonly Policy[]): App[] {
  const taken = new Set([...apps.values()].flatMap(({ tag }) => (tag === null ? [] : [tag])));
  const allocator = createTagAllocator(taken);
  for (const [index, policy] of policies.entries()) {
    for (const guid of [policy.source, policy.destination]) {
      const app = apps.get(guid)!;
      if (app.tag !== null) continue;
      const tag = allocator.next();
      if (tag === undefined)
        throw new FoundationError('ERR_FOUNDATION_TAGS_EXHAUSTED', placeOf(drafts[index]!.source.from), TAGS_EXHAUSTED);
      apps.set(guid, { ...app, tag });
    }
  }
  return [...apps.values()];
}
