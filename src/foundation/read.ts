/**
 * Reading a foundation file, YAML or JSON.
 *
 * JSON is told by its start: a brace and then a quote or another brace. YAML's flow mappings that start so are JSON too, as
 * long as every key is quoted.
 */
import { checkFoundation } from './check.ts';
import { readFoundationFile } from './foundation-file.ts';
import type { Item } from './item.ts';
import { parseJson } from './json.ts';
import type { Foundation } from './model.ts';
import { parseYaml } from './yaml.ts';

/** Parse `text` as JSON or YAML. */
export const parseItem = (text: string, file: string): Item =>
  /^\s*(?:\{\s*["}]|\[)/.test(text) ? parseJson(text, file) : parseYaml(text, file);

/** Read and check the foundation in `text`; `file` is its name in messages. Throws FoundationError. */
export const readFoundation = (text: string, file: string): Foundation =>
  checkFoundation(readFoundationFile(parseItem(text, file)));
