// Our side: the example program `foreign_credentials`, which reads JSON and writes JSON.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';

const program = process.env.STELE_FOREIGN_CREDENTIALS;

/** What our program answers; a refusal is an answer too: `{refusal: {code, ...}}`. */
export function ask(command, input) {
  assert.ok(program, 'STELE_FOREIGN_CREDENTIALS names no program; ./test foreign-npm sets it');
  const run = spawnSync(program, [command], {input: JSON.stringify(input), encoding: 'utf8'});
  assert.equal(run.status, 0, run.stderr || String(run.error));
  return JSON.parse(run.stdout);
}

/** What our program answers when it must not refuse. */
export function ours(command, input) {
  const answer = ask(command, input);
  assert.equal(answer.refusal, undefined, JSON.stringify(answer.refusal));
  return answer;
}
