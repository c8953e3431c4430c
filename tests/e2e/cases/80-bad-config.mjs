// A relay that cannot run as told says which setting is wrong, and does not start.
import fs from 'node:fs';
import path from 'node:path';

import { check, freePorts } from '../lib/util.mjs';

export const name = 'bad config';

export async function run(t) {
    const dataDir = path.join(t.dir, 'bad');
    const good = { RELAY_HOSTS: t.fleet.relayHosts(), RELAY_PLC_URL: t.fleet.plc, RELAY_DATA_DIR: dataDir };
    const [port, httpPort] = await freePorts(2);
    const ports = ['--port', String(port), '--http-port', String(httpPort)];
    const bad = [
        { args: ['--port', '99999', '--http-port', String(httpPort)], word: /port/i },
        { args: ['--port', 'abc', '--http-port', String(httpPort)], word: /port/i },
        { args: ['--port', '', '--http-port', String(httpPort)], word: /port/i },
        { args: [...ports, '--no-such-option', '1'], word: /no-such-option/ },
        { args: [...ports, 'no-such-command'], word: /no-such-command/ },
        { args: ports, settings: { RELAY_RETENTION_HOURS: 'soon' }, word: /retention.hours/i },
        { args: ports, settings: { RELAY_RETENTION_BYTES: '-5' }, word: /retention.bytes/i },
        { args: ports, settings: { RELAY_WORKERS: '0' }, word: /workers/i },
        { args: ports, settings: { RELAY_WORKERS: '3 ' + 'x' }, word: /workers/i },
        { args: ports, settings: { RELAY_HOSTS: 'ftp://localhost:1' }, word: /hosts|ftp/i },
        { args: ports, settings: { RELAY_HOSTS: 'http://localhost:70000' }, word: /hosts|70000/i },
        { args: ports, settings: { RELAY_PLC_URL: 'ftp://localhost:1' }, word: /plc.url/i },
        { args: ports, settings: { RELAY_KEY_WAIT_MS: '-1' }, word: /key.wait.ms/i },
        { args: ports, settings: { RELAY_UNVERIFIED: 'perhaps' }, word: /unverified/i },
        { args: ports, settings: { RELAY_IDENTITY_HANDLE: 'maybe' }, word: /identity.handle/i },
        { args: ports, settings: { RELAY_BIND: 'no-address' }, word: /bind/i },
    ];
    for (const { args, settings = {}, word } of bad) {
        const what = JSON.stringify({ ...settings, args: args.filter((a) => !ports.includes(a)) });
        const done = await t.command(args, { seconds: 10, settings: { ...good, ...settings } });
        const said = (done.stderr + done.stdout).split('\n').slice(0, 8);
        check(done.code === 2, `${what}: exit ${done.signal ?? done.code}, not 2`, said);
        check(word.test(done.stderr), `${what}: the message does not name it`, said);
    }
    check(!fs.existsSync(dataDir), 'a relay with a bad configuration made its data directory');

    const { relay, reader, sent } = await t.startFollowedRelay();
    const second = await t.command(ports, {
        seconds: 15,
        settings: { ...good, RELAY_DATA_DIR: relay.dataDir },
    });
    const said = (second.stderr + second.stdout).split('\n').slice(-8);
    check(
        second.signal === null && second.code !== 0,
        `a second relay on the same data directory: exit ${second.signal ?? second.code}`,
        said,
    );
    check(
        (second.stderr + second.stdout).includes(relay.dataDir),
        'the second relay does not name the data directory',
        said,
    );
    await sent.settle([reader]); // the first one goes on

    const other = path.join(t.dir, 'taken');
    const taken = await t.command(['--port', String(relay.port), '--http-port', String(httpPort)], {
        seconds: 15,
        settings: { ...good, RELAY_DATA_DIR: other },
    });
    const why = (taken.stderr + taken.stdout).split('\n').slice(-8);
    check(
        taken.signal === null && taken.code !== 0,
        `a port in use: exit ${taken.signal ?? taken.code}`,
        why,
    );
    check(
        `${taken.stderr}${taken.stdout}`.includes(String(relay.port)),
        'a port in use: the message does not name it',
        why,
    );
}
