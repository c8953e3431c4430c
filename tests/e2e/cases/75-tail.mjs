// `ringlay tail` prints a line of JSON for each event, with the seq the firehose gave it.
import { mixedLoad } from '../lib/account.mjs';
import { Failure, check } from '../lib/util.mjs';

export const name = 'tail';

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    await mixedLoad(t.fleet.hosts[0], { accounts: 5, writes: 3 });
    await sent.settle([reader]);

    const skip = 3;
    const count = reader.frames.length - skip;
    const done = await t.command([
        'tail',
        relay.url,
        '--cursor',
        String(reader.frames[skip - 1].seq),
        '--count',
        String(count),
    ]);
    check(done.code === 0, `exit ${done.signal ?? done.code}`, done.stderr.split('\n').slice(-10));
    const lines = done.stdout.trimEnd().split('\n');
    check(lines.length === count, `${lines.length} lines, not ${count}`, lines.slice(-3));
    for (const [i, line] of lines.entries()) {
        const frame = reader.frames[skip + i];
        let event;
        try {
            event = JSON.parse(line);
        } catch (error) {
            throw new Failure(`line ${i + 1} is no JSON: ${error.message}`, [line.slice(0, 300)]);
        }
        check(
            event.seq === frame.seq,
            `line ${i + 1} has seq ${event.seq}, the firehose ${frame.seq}`,
            [line.slice(0, 300)],
        );
        check(
            line.includes(JSON.stringify(frame.did)),
            `line ${i + 1} does not name ${frame.did}`,
            [line.slice(0, 300)],
        );
        check(line.includes(frame.t.slice(1)), `line ${i + 1} does not say ${frame.t}`, [
            line.slice(0, 300),
        ]);
    }
    const refused = await t.command(['tail', 'ws://127.0.0.1:1', '--count', '1'], { seconds: 10 });
    check(
        refused.code !== 0 && refused.signal === null,
        `exit ${refused.signal ?? refused.code} where nobody listens`,
    );
    check(refused.stderr.trim(), 'no message where nobody listens');
}
