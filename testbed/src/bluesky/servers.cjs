// Starts Bluesky's PLC directory, PDS and AppView in one process, on loopback, and writes their ports to a file.
// usage: servers.cjs POSTGRES-URL READY-FILE
'use strict'
const fs = require('node:fs')
const net = require('node:net')

// They listen on every address unless told otherwise.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  const everywhere = typeof port === 'number' && typeof rest[0] !== 'string'
  return everywhere ? listen.call(this, port, '127.0.0.1', ...rest) : listen.call(this, port, ...rest)
}

const env = require('@atproto/dev-env')
const getPort = require('get-port')

async function main() {
  const [dbPostgresUrl, ready] = process.argv.slice(2)
  const plc = await env.TestPlc.create({})
  const pdsPort = await getPort({ host: '127.0.0.1' })
  const bsky = await env.TestBsky.create({
    plcUrl: plc.url,
    pdsPort,
    repoProvider: `ws://localhost:${pdsPort}`,
    dbPostgresUrl,
    dbPostgresSchema: 'appview',
  })
  const pds = await env.TestPds.create({
    port: pdsPort,
    didPlcUrl: plc.url,
    bskyAppViewUrl: bsky.url,
    bskyAppViewDid: bsky.ctx.cfg.serverDid,
  })
  // Handles of the PDS are resolved there instead of by DNS.
  env.mockNetworkUtilities(pds, bsky)
  fs.writeFileSync(`${ready}.new`, `${pds.port} ${bsky.port}\n`)
  fs.renameSync(`${ready}.new`, ready)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
