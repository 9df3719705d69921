import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { mountedByThemselves } from '../../../src/config/mounts.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway test mounts '));
test.after.always(() => rm(folder, { recursive: true, force: true }));

const alone = join(folder, 'alone.json');
const inFolder = join(folder, 'config', 'clients.json');
mkdirSync(join(folder, 'config'));
writeFileSync(alone, '{}');
writeFileSync(inFolder, '{}');
symlinkSync(alone, join(folder, 'link.json'));

/** As the kernel writes it: a space in a path is \040. */
const line = (point: string) =>
  `36 35 98:0 /mnt1 ${point.replaceAll(' ', '\\040')} rw,noatime master:1 - ext3 /dev/root rw`;
const mounts = [line('/'), line(alone), line(join(folder, 'config')), ''].join('\n');

test('mounts: a file that is a mount point -> told, also through a link', (t) => {
  t.deepEqual(mountedByThemselves([alone, inFolder], mounts), [alone]);
  t.deepEqual(mountedByThemselves([join(folder, 'link.json')], mounts), [join(folder, 'link.json')]);
});

test('mounts: a file of a mounted folder, or one that is not there -> not told', (t) => {
  t.deepEqual(mountedByThemselves([inFolder, join(folder, 'none.json')], mounts), []);
});

test("mounts: this machine's own list -> a file of a temporary folder is in none", (t) => {
  t.deepEqual(mountedByThemselves([alone]), []);
});
