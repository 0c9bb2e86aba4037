/**
 * What the policy server answers: policies, tags and security groups, as JSON.
 *
 * All under /networking:
 *
 *     GET v1/external/policies         {"total_policies": 1, "policies": [{"source": {"id": GUID}, "destination":
 *                                        {"id": GUID, "protocol": "tcp", "ports": {"start": 8080, "end": 8080}}}]}
 *     GET v0/external/policies         the same with "port": 8080 in place of "ports"
 *     GET v1/internal/policies         the same with "tag": "0001" beside each "id"
 *     GET v1/external/tags             {"tags": [{"id": GUID, "tag": "0001", "type": "app"}]}
 *     GET v1/internal/security_groups  {"next": 0, "security_groups": [{"guid", "name", "rules": "[...]", ...}]}
 *
 * Where the server has a sentence of its own for a mistake (api/policy_validator.go), that sentence is the message.
 */
import type { DraftGroup, DraftPolicy, Written } from './draft.ts';
import { FoundationError, type FoundationErrorCode } from './error.ts';
import * as fields from './fields.ts';
import { type Item, type ObjectItem, placeOf, refusal } from './item.ts';
import { parseJson } from './json.ts';
import type { Policy } from './model.ts';
import * as scalars from './scalars.ts';
import { readNames, readRules } from './security-groups.ts';

/** A tag and who has it. */
export interface TagEntry {
  readonly id: string;
  /** `app`, or `router` for the ingress router. */
  readonly type: string;
  readonly tag: Written<number>;
}

export interface PolicyList {
  readonly policies: DraftPolicy[];
  /** Tags that an internal list carries, two per policy. */
  readonly tags: TagEntry[];
}

const said = (code: FoundationErrorCode, item: Item, sentence: string): FoundationError =>
  new FoundationError(code, placeOf(item), sentence);

/** Read a list of policies, external or internal, v0 or v1. */
export function readPolicyList(item: Item): PolicyList {
  const from = fields.object(item, ['total_policies', 'policies']);
  const entry = from.entries.get('policies');
  if (entry === undefined) throw said('ERR_FOUNDATION_KEY', from, 'missing policies');
  const list: PolicyList = { policies: [], tags: [] };
  for (const one of fields.list(entry)) readPolicy(one, list);
  const total = fields.optional(from, 'total_policies', (one) => fields.integer(one, 0, 2 ** 31), list.policies.length);
  if (total !== list.policies.length) {
    const expected = `${list.policies.length}, the number of policies in the list`;
    throw refusal('ERR_FOUNDATION_VALUE', from.entries.get('total_policies')!, expected);
  }
  return list;
}

function readPolicy(item: Item, into: PolicyList): void {
  const from = fields.object(item, ['source', 'destination']);
  const source = readEnd(from, 'source', ['id', 'tag'], into.tags);
  const end = readEnd(from, 'destination', ['id', 'tag', 'protocol', 'ports', 'port'], into.tags);
  into.policies.push({
    source: source.id,
    destination: end.id,
    protocol: readProtocol(end.from),
    ports: readPorts(end.from),
    byGuid: true,
  });
}

function readEnd(
  policy: ObjectItem,
  key: 'source' | 'destination',
  keys: readonly string[],
  tags: TagEntry[],
): { from: ObjectItem; id: Written<string> } {
  const end = policy.entries.get(key);
  if (end === undefined) throw said('ERR_FOUNDATION_KEY', policy, `missing ${key} id`);
  const from = fields.object(end, keys);
  const id = from.entries.get('id');
  if (id === undefined || (id.kind === 'text' && id.value === '')) {
    throw said('ERR_FOUNDATION_KEY', from, `missing ${key} id`);
  }
  const guid = { value: scalars.guid(id), from: id };
  const tag = from.entries.get('tag');
  if (tag !== undefined) tags.push({ id: guid.value, type: 'app', tag: { value: scalars.tag(tag), from: tag } });
  return { from, id: guid };
}

function readProtocol(from: ObjectItem): Policy['protocol'] {
  const item = from.entries.get('protocol');
  if (item?.kind === 'text' && (item.value === 'tcp' || item.value === 'udp')) return item.value;
  throw said('ERR_FOUNDATION_VALUE', item ?? from, 'invalid destination protocol, specify either udp or tcp');
}

/** `ports` of v1 or `port` of v0, by the server's rules. */
function readPorts(from: ObjectItem): Policy['ports'] {
  const single = from.entries.get('port');
  if (single !== undefined) {
    const other = from.entries.get('ports');
    if (other !== undefined) throw said('ERR_FOUNDATION_KEY', other, 'got both port and ports, expected one of them');
    const port = wholeNumber(single);
    if (port === 0) throw said('ERR_FOUNDATION_VALUE', single, 'missing port');
    if (port < 0 || port > 65535) {
      throw said('ERR_FOUNDATION_VALUE', single, `invalid port ${port}, must be in range 1-65535`);
    }
    return { start: port, end: port };
  }
  const range = from.entries.get('ports');
  if (range === undefined) throw said('ERR_FOUNDATION_KEY', from, 'missing start port');
  const both = fields.object(range, ['start', 'end']);
  const start = fields.optional(both, 'start', wholeNumber, 0);
  const end = fields.optional(both, 'end', wholeNumber, 0);
  const complaint = scalars.portsComplaint(start, end);
  if (complaint !== undefined) throw said('ERR_FOUNDATION_VALUE', range, complaint);
  return { start, end };
}

const wholeNumber = (item: Item): number => fields.integer(item, -(2 ** 31), 2 ** 31 - 1);

/** Read a list of tags. */
export function readTagList(item: Item): TagEntry[] {
  const from = fields.object(item, ['tags']);
  return fields.list(fields.required(from, 'tags', 'a list of tags')).map((one) => {
    const entry = fields.object(one, ['id', 'tag', 'type']);
    const tag = fields.required(entry, 'tag', 'a tag such as "0001"');
    return {
      id: scalars.guid(fields.required(entry, 'id', 'the GUID that has the tag')),
      type: fields.optional(entry, 'type', (type) => fields.text(type), 'app'),
      tag: { value: scalars.tag(tag), from: tag },
    };
  });
}

/**
 * Read security groups: the policy server's internal list, or the bare list of rules that `cf create-security-group`
 * takes. A bare list is bound to everything and called `name`.
 */
export function readSecurityGroupList(item: Item, name: string): DraftGroup[] {
  if (item.kind === 'array') {
    const rules = readRules(item);
    const bound = { runningDefault: true, stagingDefault: true, runningSpaces: [], stagingSpaces: [] };
    return [{ from: item, group: { name, guid: name, rules, ...bound } }];
  }
  const from = fields.object(item, ['next', 'security_groups']);
  const next = fields.optional(from, 'next', (one) => fields.integer(one, 0, 2 ** 31), 0);
  if (next !== 0) {
    const sentence = `got a page of security groups that goes on at ${next}, expected all of them (ask for per_page=5000)`;
    throw said('ERR_FOUNDATION_MISSING', from.entries.get('next')!, sentence);
  }
  return fields.list(fields.required(from, 'security_groups', 'a list of security groups')).map(readServerGroup);
}

const SERVER_GROUP_KEYS = [
  'guid',
  'name',
  'rules',
  'staging_default',
  'running_default',
  'staging_space_guids',
  'running_space_guids',
] as const;

function readServerGroup(item: Item): DraftGroup {
  const from = fields.object(item, SERVER_GROUP_KEYS);
  const rules = fields.required(from, 'rules', 'rules as a list, or as JSON text');
  const inner =
    rules.kind === 'text' ? parseJson(rules.value === '' ? '[]' : rules.value, rules.source.file, rules) : rules;
  const names = (one: Item): string[] => (one.kind === 'null' ? [] : readNames(one));
  const group = {
    name: scalars.name(fields.required(from, 'name', 'the name of a security group')),
    guid: scalars.guid(fields.required(from, 'guid', 'the GUID of a security group')),
    rules: inner.kind === 'null' ? [] : readRules(inner),
    runningDefault: fields.optional(from, 'running_default', fields.boolean, false),
    stagingDefault: fields.optional(from, 'staging_default', fields.boolean, false),
    runningSpaces: fields.optional(from, 'running_space_guids', names, []),
    stagingSpaces: fields.optional(from, 'staging_space_guids', names, []),
  };
  return { from, group };
}
