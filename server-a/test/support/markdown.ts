/** Reads Markdown: tables, headings, links and code blocks, as far as the tests of the documentation need them. */

/** A row of a table: cell text by column heading. */
export type Row = Readonly<Record<string, string>>;

/** A fenced code block. */
export interface CodeBlock {
  /** What follows the fence, for instance `sh`. */
  readonly language: string;
  readonly text: string;
}

/** A link, as written. */
export interface Link {
  readonly line: number;
  readonly target: string;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;

/**
 * Returns the first table under a heading, with headings and cells as plain text: no backticks, no escapes.
 *
 * @param heading text of the heading, without its `#`
 * @throws Error when there is no such heading, or no table before the next heading
 */
export function tableUnder(markdown: string, heading: string): Row[] {
  return tableWith(markdown, heading, []);
}

/**
 * Returns the first table under a heading that has the given columns.
 *
 * @throws Error when there is none before the next heading
 */
export function tableWith(markdown: string, heading: string, columns: readonly string[]): Row[] {
  for (const table of tablesIn(sectionOf(markdown, heading))) {
    const [headings = [], , ...body] = table;
    if (!columns.every((column) => headings.includes(column))) continue;
    return body.map((cells) => Object.fromEntries(headings.map((name, index) => [name, cells[index] ?? ''])));
  }
  throw new Error(`no table with the columns [${columns.join(', ')}] under the heading "${heading}"`);
}

/** Returns every code block, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { fence: string; language: string; lines: string[] } | undefined;
  for (const line of markdown.split('\n')) {
    const [, fence = '', rest = ''] = FENCE.exec(line) ?? [];
    if (open === undefined) {
      if (fence !== '') open = { fence, language: rest.trim(), lines: [] };
    } else if (fence.startsWith(open.fence) && rest.trim() === '') {
      blocks.push({ language: open.language, text: open.lines.join('\n') });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  return blocks;
}

/** Returns the sections one level below a heading: their titles, and their text with its code. */
export function sectionsOf(markdown: string, heading: string): { title: string; text: string }[] {
  const lines = markdown.split('\n');
  const headings = withoutCodeBlocks(markdown).map(headingOf);
  const chapter = headings.findIndex((found) => found?.text === heading);
  const level = headings[chapter]?.level;
  if (level === undefined) throw new Error(`no heading "${heading}"`);
  const sections: { title: string; text: string }[] = [];
  let start = chapter;
  let title: string | undefined;
  for (let index = chapter + 1; index <= lines.length; index += 1) {
    const found = headings[index];
    if (index < lines.length && (found === undefined || found.level > level + 1)) continue;
    if (title !== undefined) sections.push({ title, text: lines.slice(start + 1, index).join('\n') });
    if (found === undefined || found.level <= level) break;
    [start, title] = [index, found.text];
  }
  return sections;
}

/** Returns the links of the text, code aside. */
export function linksIn(markdown: string): Link[] {
  return withoutCode(markdown).flatMap((text, index) => {
    const inline = [...text.matchAll(/\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
    const reference = [...text.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?/g)];
    return [...inline, ...reference].map(([, target = '']) => ({ line: index + 1, target }));
  });
}

/** Returns the anchors that GitHub gives to the headings of the text. */
export function anchorsIn(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of withoutCodeBlocks(markdown)) {
    const heading = headingOf(line);
    if (heading === undefined) continue;
    const slug = slugOf(heading.text);
    let anchor = slug;
    for (let copy = 1; anchors.has(anchor); copy += 1) anchor = `${slug}-${copy}`;
    anchors.add(anchor);
  }
  return anchors;
}

function headingOf(line: string): { level: number; text: string } | undefined {
  const [, marks, text] = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line) ?? [];
  return marks === undefined || text === undefined ? undefined : { level: marks.length, text };
}

function slugOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Lines after a heading, up to the next of any level. */
function sectionOf(markdown: string, heading: string): string[] {
  const lines = withoutCodeBlocks(markdown);
  const start = lines.findIndex((line) => headingOf(line)?.text === heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const after = lines.slice(start + 1);
  const end = after.findIndex((line) => headingOf(line) !== undefined);
  return end < 0 ? after : after.slice(0, end);
}

/** Cells of each table: rows of lines that begin with a bar. */
function tablesIn(lines: readonly string[]): string[][][] {
  const tables: string[][][] = [];
  let table: string[][] | undefined;
  for (const line of lines) {
    if (!line.trimStart().startsWith('|')) {
      table = undefined;
      continue;
    }
    if (table === undefined) {
      table = [];
      tables.push(table);
    }
    table.push(cellsOf(line));
  }
  return tables;
}

function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('`', '').replaceAll('\\|', '|').trim());
}

/** Lines, those of code blocks emptied: line numbers stay. */
function withoutCodeBlocks(markdown: string): string[] {
  let open: string | undefined;
  return markdown.split('\n').map((line) => {
    const [, fence, rest = ''] = FENCE.exec(line) ?? [];
    if (open === undefined) {
      open = fence;
      return fence === undefined ? line : '';
    }
    if (fence?.startsWith(open) && rest.trim() === '') open = undefined;
    return '';
  });
}

function withoutCode(markdown: string): string[] {
  return withoutCodeBlocks(markdown).map((line) => line.replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, '``'));
}
