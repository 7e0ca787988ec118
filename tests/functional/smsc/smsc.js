// An SMSC made of the npm package smpp, that does as it is told.
//
//   node smsc.js '{"port": 0, "key": "key.pem", "cert": "cert.pem", "delay": 50, "answers": "hex", "receipts": "hex", "tlvs": true}'
//
// It prints a line of JSON when it listens, and one for each message that it has taken. Commands come on standard
// input, a line of JSON each: {"throttle": 0.3} refuses that share of the submits, {"silent": true} reads and answers
// nothing, {"report": false} takes without printing, {"stats": true} prints the counts.
'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const told = {port: 0, delay: 50, answers: 'hex', receipts: 'hex', tlvs: true, first: 0x1000, report: true, throttle: 0,
  silent: false, ...JSON.parse(process.argv[2] || '{}')};
const counts = {submits: 0, taken: 0, throttled: 0, receipts: 0, acknowledged: 0, refused: 0, binds: 0};
const options = told.key ? {key: fs.readFileSync(told.key), cert: fs.readFileSync(told.cert)} : {};
const say = value => process.stdout.write(JSON.stringify(value) + '\n');
const written = (id, form) => form === 'hex' ? id.toString(16).toUpperCase().padStart(8, '0') : String(id);
const stamp = () => new Date().toISOString().replace(/[-T:]/g, '').slice(2, 12);

function receipt(session, to, from, id) {
  const shown = written(id, told.receipts);
  const date = stamp();
  const pdu = {source_addr: to, destination_addr: from, esm_class: 4,
    short_message: `id:${shown} sub:001 dlvrd:001 submit date:${date} done date:${date} stat:DELIVRD err:000 text:`};
  if (told.tlvs) Object.assign(pdu, {receipted_message_id: shown, message_state: 2});
  counts.receipts++;
  session.deliver_sm(pdu, answer => { counts[answer.command_status ? 'refused' : 'acknowledged']++; });
}

function submitted(session, pdu) {
  counts.submits++;
  if (Math.random() < told.throttle) {
    counts.throttled++;
    session.send(pdu.response({command_status: smpp.ESME_RTHROTTLED}));
    return;
  }
  const id = told.first + ++counts.taken;
  // First, as it may be killed at any time: what is answered is known to have been taken.
  if (told.report) say({to: pdu.destination_addr, id: written(id, told.answers), text: pdu.short_message.message});
  session.send(pdu.response({message_id: written(id, told.answers)}));
  if (pdu.registered_delivery & 3) setTimeout(receipt, told.delay, session, pdu.destination_addr, pdu.source_addr, id);
}

const server = smpp.createServer(options, session => {
  session.on('error', () => {});
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) session.on(bind, pdu => {
    const right = pdu.system_id === 'test' && pdu.password === 'secret';
    counts.binds += right;
    session.send(pdu.response({command_status: right ? 0 : smpp.ESME_RINVPASWD, system_id: 'SIM'}));
    if (!right) session.close();
  });
  session.on('enquire_link', pdu => told.silent || session.send(pdu.response()));
  session.on('unbind', pdu => { session.send(pdu.response()); session.close(); });
  session.on('submit_sm', pdu => told.silent || submitted(session, pdu));
});

server.listen(told.port, '127.0.0.1', () => say({port: server.address().port}));

readline.createInterface({input: process.stdin}).on('line', line => {
  const said = JSON.parse(line);
  if (said.stats) say({stats: counts});
  else Object.assign(told, said);
}).on('close', () => process.exit());
