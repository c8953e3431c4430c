// Subscribes to a firehose with the `ws` package and keeps every frame it gets.
import WebSocket from 'ws';

import { parseFrame } from './frames.mjs';
import { Failure, sleep, until } from './util.mjs';

export const subscribePath = '/xrpc/com.atproto.sync.subscribeRepos';

export class Reader {
    // url: ws://host:port. With `reconnect` it comes back after any break, with the seq of the last
    // event it saw as cursor: what a consumer that saves its cursor after each event does.
    constructor(
        url,
        { cursor, reconnect = false, name = 'reader', headers, ws = {}, onFrame } = {},
    ) {
        Object.assign(this, {
            url,
            cursor,
            reconnect,
            name,
            headers,
            wsOptions: ws,
            onFrame,
        });
        this.frames = [];
        this.others = []; // #info and error frames
        this.problems = [];
        this.dids = new Set();
        this.connects = 0;
        this.closes = []; // { code, reason }
        this.ended = false;
        this.connect();
    }

    connect() {
        const url =
            this.url + subscribePath + (this.cursor === undefined ? '' : `?cursor=${this.cursor}`);
        const socket = new WebSocket(url, { headers: this.headers, ...this.wsOptions });
        this.socket = socket;
        this.error = null;
        socket.on('open', () => {
            this.connects++;
        });
        socket.on('message', (data, binary) => this.accept(data, binary));
        socket.on('error', (error) => {
            this.error = error;
        });
        socket.on('close', async (code, reason) => {
            this.closes.push({ code, reason: String(reason) });
            if (this.ended || !this.reconnect) return;
            await sleep(30);
            if (!this.ended) this.connect();
        });
    }

    accept(data, binary) {
        if (!binary) return this.problems.push('a text message');
        let frame;
        try {
            frame = parseFrame(data);
        } catch (error) {
            return this.problems.push(`a frame that cannot be read: ${error.message}`);
        }
        if (frame.seq === undefined) return this.others.push(frame);
        if (frame.seq <= (this.frames.at(-1)?.seq ?? this.cursor ?? -1)) {
            this.problems.push(
                `seq ${frame.seq} after ${this.frames.at(-1)?.seq ?? `cursor ${this.cursor}`}`,
            );
        }
        this.frames.push(frame);
        this.dids.add(frame.did);
        this.cursor = frame.seq;
        this.onFrame?.(frame);
    }

    async opened(seconds = 10) {
        await until(
            () => this.connects > 0 || (!this.reconnect && this.closes.length),
            seconds,
            () => `${this.name}: not connected to ${this.url}`,
        );
        if (!this.connects)
            throw new Failure(`${this.name}: ${this.error?.message ?? 'closed at once'}`);
        return this;
    }

    // Waits at most `seconds`, and never fails: the caller asks again.
    async until(condition, seconds) {
        const end = performance.now() + seconds * 1000;
        while (!condition() && performance.now() < end) await sleep(10);
    }

    waitFor(count, seconds = 20) {
        return until(
            () => this.frames.length >= count,
            seconds,
            () => `${this.name}: ${this.frames.length} of ${count} events arrived, ${this.state()}`,
        );
    }

    waitForClose(seconds = 15) {
        return until(
            () => this.closes.at(-1),
            seconds,
            `${this.name}: the connection was not closed`,
        );
    }

    state() {
        const close = this.closes.at(-1);
        const last = close
            ? `last close ${close.code} ${JSON.stringify(close.reason)}`
            : 'never closed';
        return (
            `${this.connects} connections, ${last}, last seq ${this.frames.at(-1)?.seq}` +
            (this.error ? `, ${this.error.message}` : '')
        );
    }

    expectClean() {
        if (this.problems.length) {
            throw new Failure(
                `${this.name}: ${this.problems[0]} (${this.problems.length} in all)`,
                this.problems.slice(0, 10),
            );
        }
    }

    close() {
        this.ended = true;
        this.socket.terminate();
    }
}
