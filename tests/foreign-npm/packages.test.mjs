// The packages are there in the versions that the lock file pins, and load in this Node.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {test} from 'node:test';

const {devDependencies} = JSON.parse(await readFile(new URL('package.json', import.meta.url)));

for (const [name, version] of Object.entries(devDependencies)) {
  test(`${name} ${version} loads`, async () => {
    const manifest = new URL(`node_modules/${name}/package.json`, import.meta.url);
    assert.equal(JSON.parse(await readFile(manifest)).version, version);
    assert.ok(Object.keys(await import(name)).length > 0);
  });
}
