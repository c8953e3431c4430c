// Consumers begin at cursor 0, and at places in between, while events flow; at whatever pace they
// read, each passes from stored to live events without a gap or an event twice.
import { Account } from '../lib/account.mjs';
import { compareBytes } from '../lib/frames.mjs';
import { check, expectSame, sleep } from '../lib/util.mjs';

export const name = 'catch-up while live';

const consumers = 24;

export async function run(t) {
    const settings = { RELAY_SEGMENT_BYTES: '1MiB', RELAY_TAIL_BYTES: '16MiB' };
    const { relay, reader, sent } = await t.startFollowedRelay({ settings });
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 4, 'catchup')))
    ).flat();
    const load = t.startLoad(accounts, { textBytes: 20_000 });
    await reader.waitFor(reader.frames.length + 150, 40);

    const joined = [];
    for (let i = 0; i < consumers; i++) {
        const behind = i % 3 === 0 ? -1 : Math.floor(t.random() * reader.frames.length);
        const cursor = behind < 0 ? 0 : reader.frames[behind].seq;
        const port = i % 2 ? relay.httpPort : relay.port;
        const name = `consumer ${i} from event ${behind + 1}`;
        // Every other one reads at little more than the pace of the load: its switch lasts long.
        const bytesPerSecond = i % 2 ? 4e6 : 0;
        joined.push({ behind, consumer: t.rawReader(port, { cursor, name, bytesPerSecond }) });
        await sleep(150);
    }
    await sleep(1500);
    await load.stop();
    await sent.settle([reader, ...joined.map((j) => j.consumer)], 60);

    expectSame(sent.compare(reader.frames, reader.name));
    for (const { behind, consumer } of joined) {
        consumer.expectClean();
        check(!consumer.others.length, `${consumer.name}: an #info or error frame`);
        expectSame(compareBytes(reader.frames.slice(behind + 1), consumer.frames, consumer.name));
    }
    const mib = reader.frames.reduce((n, f) => n + f.raw.length, 0) / 2 ** 20;
    t.note(`${consumers} consumers, ${reader.frames.length} events, ${mib.toFixed(1)} MiB`);
}
