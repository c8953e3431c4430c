// goat, the command-line tool of the network's operators (github.com/bluesky-social/goat): a consumer
// and an administrator that is not ours.
import { spawnSync } from 'node:child_process';
import os from 'node:os';

import { runCommand } from './relay.mjs';
import { Failure, Skip, check } from './util.mjs';

// The program that RINGLAY_GOAT names, else the one of the PATH.
export function findGoat() {
    const named = process.env.RINGLAY_GOAT ?? 'goat';
    if (!spawnSync(named, ['--version']).error) return named;
    check(!process.env.RINGLAY_GOAT, `RINGLAY_GOAT: ${named} cannot be run`);
    throw new Skip('there is no goat in the PATH, and RINGLAY_GOAT names none');
}

export class Goat {
    // relay: asked over HTTP. plc: the directory it believes.
    constructor(program, relay, plc) {
        Object.assign(this, { program, relay });
        this.settings = {
            ATP_PLC_HOST: plc,
            HOME: os.tmpdir(),
        };
    }

    // -> stdout of a command that has to succeed, by lines
    async lines(...args) {
        const done = await runCommand(this.program, args, { settings: this.settings });
        if (done.code !== 0)
            throw new Failure(`goat ${args.join(' ')}: exit ${done.code}`, [
                ...done.stdout.split('\n'),
                ...done.stderr.split('\n'),
            ]);
        return done.stdout.split('\n').filter(Boolean);
    }

    ofRelay(...args) {
        return this.lines('relay', '--relay-host', this.relay.httpUrl, ...args);
    }

    admin(password, ...args) {
        return this.ofRelay('admin', '--admin-password', password, ...args);
    }

    // Reads the firehose from its beginning and checks all it can. -> { events, complaints }
    async readAll(seconds) {
        const done = await runCommand(
            this.program,
            ['firehose', '--relay-host', this.relay.url, '--cursor', '0'].concat([
                '--verify-basic',
                '--verify-sig',
                '--verify-mst',
            ]),
            { seconds: seconds + 10, terminateAfter: seconds, settings: this.settings },
        );
        const events = done.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
        const lines = done.stderr.split('\n').filter((line) => line && !/"level":"INFO"/.test(line));
        return { events, complaints: lines.filter((line) => !isAboutFirst(line, events)) };
    }
}

// The first commit of a repository has nothing before it, and goat says that it cannot invert that.
function isAboutFirst(line, events) {
    if (!line.includes('prevData is nil')) return false;
    const { seq } = JSON.parse(line);
    return events.some(({ payload }) => payload.seq === seq && payload.since == null);
}
