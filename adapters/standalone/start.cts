#!/usr/bin/env node
// libuv makes its threads when they are first asked for something, and Node has them read modules such as main.ts: only this
// one, which Node reads without them, can say how many there are to be. By default they are four, and four fsyncs at a time
// keep every other file waiting.
process.env['UV_THREADPOOL_SIZE'] ??= '16'
void import('./main.js')
