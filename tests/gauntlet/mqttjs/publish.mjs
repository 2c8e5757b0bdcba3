// mqtt.js as a client that the gauntlet is tried on: connects once, publishes one message at QoS 1, and ends with 0;
// with 1 when it does not come to that, and a line of why.
// usage: node publish.mjs MODULES HOST PORT CA CERT KEY ID [--insecure name|all] [--retry]
//     MODULES is the folder that holds mqtt's own. --insecure name: no name is compared; all: rejectUnauthorized false,
//     which is what its documentation and many answers give as the way to connect to a self-signed broker.
//     --retry: tries again as mqtt.js does by itself, until it is ended.
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'

const [modules, host, port, ca, cert, key, clientId, ...switches] = process.argv.slice(2)
const { connect } = createRequire(path.join(modules, 'x.js'))('mqtt')
const insecure = switches.includes('--insecure') && switches[switches.indexOf('--insecure') + 1]
const retries = switches.includes('--retry')
const end = (code, why) => {
  console.error(`mqtt.js: ${why}`)
  process.exit(code)
}

const client = connect({
  protocol: 'mqtts', host, port: Number(port), clientId,
  ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key),
  ...(retries ? {} : { reconnectPeriod: 0, connectTimeout: 5000 }),
  ...(insecure === 'name' ? { checkServerIdentity: () => undefined } : {}),
  ...(insecure === 'all' ? { rejectUnauthorized: false } : {}),
})
let why = 'the connection was closed'
client.on('error', (error) => {
  why = error.message
  if (retries) console.error(`mqtt.js: ${why}`)
})
client.on('close', () => retries || end(1, why))
client.on('connect', () => client.publish(`gauntlet/${clientId}`, 'hello', { qos: 1 }, (error) => {
  if (error) end(1, error.message)
  client.removeAllListeners('close')
  client.end(false, () => end(0, 'published'))
}))
