// Our side: the example program `foreign_credentials`, which reads JSON and writes JSON, and those beside it that answer lines.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';

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

/** One of our example programs that answers lines of JSON, started beside the first. Answers come in order. */
export function conversation(name, firstLine) {
  assert.ok(program, 'STELE_FOREIGN_CREDENTIALS names no program; ./test foreign-npm sets it');
  const child = spawn(join(dirname(program), name), {stdio: ['pipe', 'pipe', 'inherit']});
  const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const send = (line) => child.stdin.write(`${JSON.stringify(line)}\n`);
  send(firstLine);
  let turn = Promise.resolve();
  return {
    ask(line) {
      turn = turn.then(async () => {
        send(line);
        const {value, done} = await answers.next();
        assert.ok(!done, `${name} ended`);
        return JSON.parse(value);
      });
      return turn;
    },
    async end() {
      child.stdin.end();
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    },
  };
}
