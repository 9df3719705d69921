/** Where the code of dist/main.js stands in src/, by the source map beside it: for stack traces that people read. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { packageFile } from '../package-files.js';

const BUNDLE = packageFile('dist/main.js');

/** A line of src/ and its column, both from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

let sourceMap: SourceMap | undefined;

/**
 * Returns what a place in dist/main.js was made of; undefined = no line of ours. The first call reads the map, some 20 ms:
 * Node.js itself (`--enable-source-maps`) would read it at every start, as pino looks at its own callers.
 *
 * @throws Error when the map is not there
 */
export function sourcePlace(line: number, column: number): SourcePlace | undefined {
  sourceMap ??= new SourceMap(JSON.parse(readFileSync(`${BUNDLE}.map`, 'utf8')));
  const origin = sourceMap.findOrigin(line, column);
  if (!('fileName' in origin)) return undefined;
  return {
    file: origin.fileName.replace(/^(?:\.\.\/)+/, ''),
    line: origin.lineNumber,
    column: origin.columnNumber,
  };
}

/** Returns a line of a stack trace with a place in dist/main.js replaced by the one in src/. */
export function inSource(stackLine: string): string {
  const [before = '', place] = stackLine.split(`${BUNDLE}:`);
  const [, line, column, behind = ''] = /^(\d+):(\d+)(.*)$/.exec(place ?? '') ?? [];
  if (line === undefined || column === undefined) return stackLine;
  try {
    const source = sourcePlace(Number(line), Number(column));
    return source === undefined
      ? stackLine
      : `${before}${source.file}:${source.line}:${source.column}${behind}`;
  } catch {
    // Without the map the trace is told as it is: an error is being logged.
    return stackLine;
  }
}
